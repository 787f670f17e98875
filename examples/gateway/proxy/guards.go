package proxy

import (
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"net"
	"net/http"
	"net/netip"

	"github.com/limitpal/limitpal-go/engine"
)

// Guard is an engine of the gateway.
type Guard struct {
	Route  string // "" for the engine of connections
	Engine *engine.Engine
	// Key returns the key of the engine that text names: an address, the value of a header or the
	// host of the upstream, whichever tells the keys of the engine apart. ok is false if text is
	// nothing of that kind. Key is nil for the engine of connections.
	Key func(text string) (key string, ok bool)
	// Shown returns a key as the log shows keys: a hash, which changes with each start of the
	// gateway, if a header tells clients apart; other keys as they are, cut after half a KiB.
	Shown func(key string) string
	// Hidden reports whether Shown returns a hash.
	Hidden bool
}

// Guards returns the engines of the configuration in force, route by route: of addresses, of
// clients, and of the upstream.
func (g *Gateway) Guards() []Guard {
	var all []Guard
	for _, r := range g.table.Load().routes {
		name, hidden := r.config.Name, r.config.Key.Header != ""
		if r.addresses != nil {
			all = append(all, Guard{name, r.addresses, ofAddress(r.address), short, false})
		}
		if r.limits != nil && hidden {
			all = append(all, Guard{name, r.limits, ofField(r.client, r.config.Key.Header), g.hash, true})
		} else if r.limits != nil {
			all = append(all, Guard{name, r.limits, ofAddress(r.client), short, false})
		}
		if r.calls != nil {
			all = append(all, Guard{name, r.calls, func(text string) (string, bool) { return text, text == r.host }, short, false})
		}
	}
	return all
}

// Guards is [Gateway.Guards], and after these the engine of connections, if there is one.
func (s *Server) Guards() []Guard {
	all := s.gateway.Guards()
	if e := s.pacing.engine.Load(); e != nil {
		all = append(all, Guard{Engine: e, Shown: short})
	}
	return all
}

// ofAddress returns the Key of a Guard whose engine has the keys that key gives to requests.
func ofAddress(key func(*http.Request) string) func(string) (string, bool) {
	return func(text string) (string, bool) {
		if _, err := netip.ParsePrefix(text); err == nil { // the key of an IPv6 address
			return text, true
		}
		if _, err := netip.ParseAddr(text); err != nil {
			return "", false
		}
		return key(&http.Request{RemoteAddr: net.JoinHostPort(text, "0")}), true
	}
}

// ofField is ofAddress for keys that are the values of the field name.
func ofField(key func(*http.Request) string, name string) func(string) (string, bool) {
	return func(text string) (string, bool) { return key(&http.Request{Header: http.Header{name: {text}}}), true }
}

// hash stands for a key that may be a secret. The hashes of two runs differ.
func (g *Gateway) hash(key string) string { return fmt.Sprintf("%016x", maphash.String(g.seed, key)) }

// EventsSince returns the events after number seq of all engines, as far as these are kept, and
// then each further event. A seq that no event has had yet stands for the last event. The gateway
// keeps 4,096 events. The iteration ends with ctx or, after the last event, with [Gateway.Close]. A
// reader that is slow misses events, and sees a gap in the numbers; nothing waits for a reader. Any
// goroutine may iterate.
func (g *Gateway) EventsSince(ctx context.Context, seq uint64) iter.Seq[Event] {
	return g.journal.since(ctx, seq)
}

// EventsSince is [Gateway.EventsSince], with the events of the engine of connections.
func (s *Server) EventsSince(ctx context.Context, seq uint64) iter.Seq[Event] {
	return s.gateway.EventsSince(ctx, seq)
}
