package proxy

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// exemptions are the requests that no limit of a route concerns.
type exemptions struct {
	networks []config.Network
	paths    []string
	readings []string // of paths
}

func newExemptions(cfg *config.Exempt) exemptions {
	e := exemptions{networks: cfg.Addresses, paths: cfg.Paths}
	for _, path := range cfg.Paths {
		reading, _ := readingOf(path)
		e.readings = append(e.readings, reading)
	}
	return e
}

// path reports whether a path is exempt. A path is not exempt if some servers take the path for
// another that is not.
func (e *exemptions) path(path, reading string) bool {
	for i := range e.paths {
		if below(path, e.paths[i]) >= 0 && below(reading, e.readings[i]) >= 0 {
			return true
		}
	}
	return false
}

// address reports whether an address, in the form of enginehttp.RemoteIP, is exempt.
func (e *exemptions) address(address string) bool {
	if len(e.networks) == 0 {
		return false
	}
	network, _, _ := strings.Cut(address, "/") // the /64 of an IPv6 address
	addr, err := netip.ParseAddr(network)
	if err != nil {
		return false
	}
	for _, n := range e.networks {
		if n.Contains(addr.WithZone("")) {
			return true
		}
	}
	return false
}

// bypass sends a request past the guards of a route if the request has no keys.
type bypass struct{ guarded, attempts http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b *bypass) RoundTrip(req *http.Request) (*http.Response, error) {
	if exchangeIn(req.Context()).keys == nil {
		return b.attempts.RoundTrip(req)
	}
	return b.guarded.RoundTrip(req)
}
