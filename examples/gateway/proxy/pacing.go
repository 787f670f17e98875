package proxy

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// pacing limits the bytes per second of each connection that it accepts.
type pacing struct {
	net.Listener
	engine   atomic.Pointer[engine.Engine] // nil until there is a limit
	accepted atomic.Uint64
	made     func(*engine.Engine) // called with the engine
}

// Accept waits for the next connection. The connection follows each change of the limit, if there
// is a limit now.
func (p *pacing) Accept() (net.Conn, error) {
	conn, err := p.Listener.Accept()
	e := p.engine.Load()
	if err != nil || e == nil {
		return conn, err
	}
	return enginenet.Wrap(conn, enginenet.Limit{Engine: e, Key: strconv.FormatUint(p.accepted.Add(1), 10)}), nil
}

// change changes the limit; nil is no limit. One goroutine at a time may call change.
func (p *pacing) change(c *config.Connection) error {
	e := p.engine.Load()
	switch {
	case e != nil && c != nil:
		return e.Reconfigure(named(ofConnections, c.Engine()))
	case e != nil:
		unlimited := e.Config()
		unlimited.Limiter = nil
		return e.Reconfigure(unlimited)
	case c != nil:
		e, err := engine.New(named(ofConnections, c.Engine()))
		if err == nil {
			p.engine.Store(e)
			p.made(e)
		}
		return err
	default:
		return nil
	}
}

// end closes the engine.
func (p *pacing) end(ctx context.Context) error {
	if e := p.engine.Load(); e != nil {
		return e.Close(ctx)
	}
	return nil
}
