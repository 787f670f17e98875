package proxy

import (
	"io"
	"net"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
	"github.com/limitpal/limitpal-go/examples/internal/pipes"
)

// StartIn is Start on a network in memory, on which the upstreams of cfg are, too.
func StartIn(n *pipes.Network, cfg *config.Config, logs io.Writer) (*Server, error) {
	return start(cfg, logs, func(string, string) (net.Listener, error) { return n.Listen() }, n.DialContext)
}
