package enginenet

import (
	"errors"
	"fmt"
	"net"

	"github.com/limitpal/limitpal-go/engine"
)

// Listener limits the connections that it accepts. Fill in the fields before the first Accept and
// do not copy a Listener. Any goroutine may call its methods.
type Listener struct {
	// Listener accepts the connections. Listener must not be nil. For TLS, put a tls.NewListener
	// around this Listener, not below.
	net.Listener
	// PerConn limits each connection. Default nil, no such limit. The keys of PerConn are made of
	// both addresses and a number, as in "198.51.100.7:50312>192.0.2.1:443#1".
	PerConn *engine.Engine
	// PerKey limits all connections of a key together. Default nil, no such limit. PerKey may be
	// the engine of PerConn only if both limits are meant to be the same.
	PerKey *engine.Engine
	// Key makes the key of a connection, for PerKey, from the remote address. Default [ByIP].
	//
	// Key runs once for each connection, at the first Read, Write or ReadFrom and on the goroutine
	// of that call; many goroutines may call Key at once. A panic of Key closes the connection and
	// continues in that call. A key above 256 bytes is hashed, see [Limit].
	Key func(net.Addr) string
	// Direction says which bytes the limits count. Default Both, with a bucket for each direction.
	Direction Direction

	tally tally
}

// Accept waits for the next connection and returns a *[Conn]. Accept does not ask for the addresses
// of the connection, so that a peer that is silent, behind a listener of the PROXY protocol, holds
// up its own connection alone.
//
// The error is the error of the listener below; or, before any connection is accepted, an error
// that joins a *engine.ConfigError for each field of an engine's Config that this package cannot
// honour.
func (l *Listener) Accept() (net.Conn, error) {
	if err := errors.Join(checkConfig(l.PerConn), checkConfig(l.PerKey)); err != nil {
		return nil, err
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	number := l.tally.accept()
	id := &identity{conn: conn, turn: make(chan struct{}, 1)}
	if l.PerConn != nil {
		id.add(Limit{Engine: l.PerConn, Direction: l.Direction}, func(remote, local net.Addr) string {
			return fmt.Sprintf("%v>%v#%d", remote, local, number)
		})
	}
	if l.PerKey != nil {
		name := l.Key
		if name == nil {
			name = ByIP
		}
		id.add(Limit{Engine: l.PerKey, Direction: l.Direction}, func(remote, _ net.Addr) string { return name(remote) })
	}
	c := &Conn{Conn: conn, identity: id, tally: &l.tally}
	c.reads.shared, c.writes.shared = l.tally.trafficOf(number)
	c.reads.open(id.limits, Reads)
	c.writes.open(id.limits, Writes)
	return c, nil
}
