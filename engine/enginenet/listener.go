package enginenet

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/engine"
)

// Listener limits the connections that it accepts. Fill in the fields before the first Accept and do not copy it; its methods
// may be called by any goroutine.
type Listener struct {
	// Listener is where connections come from. It must not be nil. For TLS, wrap this listener and not the other way around.
	net.Listener
	// PerConn limits each connection. Default nil, no such limit. Its keys are made of both addresses and a number, as in
	// "198.51.100.7:50312>192.0.2.1:443#1".
	PerConn *engine.Engine
	// PerKey limits all connections of a key together. Default nil, no such limit. It may not be the engine of PerConn unless both limits
	// are meant to be the same.
	PerKey *engine.Engine
	// Key names what a connection belongs to by its remote address, for PerKey. It runs in Accept. Default [ByIP].
	Key func(net.Addr) string
	// Direction is what is limited. Default Both, each with a bucket of its own.
	Direction Direction

	accepted atomic.Uint64
}

// Accept waits for the next connection and returns it as a *[Conn]. The error is that of the listener below.
func (l *Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	named := false
	defer func() {
		if !named { // Key has panicked
			_ = conn.Close()
		}
	}()
	var limits []Limit
	if l.PerConn != nil {
		key := fmt.Sprintf("%v>%v#%d", conn.RemoteAddr(), conn.LocalAddr(), l.accepted.Add(1))
		limits = append(limits, Limit{Engine: l.PerConn, Key: key, Direction: l.Direction})
	}
	if l.PerKey != nil {
		name := l.Key
		if name == nil {
			name = ByIP
		}
		limits = append(limits, Limit{Engine: l.PerKey, Key: name(conn.RemoteAddr()), Direction: l.Direction})
	}
	named = true
	return Wrap(conn, limits...), nil
}

// ByIP names the host of an address: "192.0.2.1" for IPv4, also if it is mapped into IPv6, and the /64 for IPv6, as "2001:db8::/64",
// since one customer has at least that many addresses (RFC 6177). Port and zone do not count. An address that is no IP address, as that
// of a Unix socket, is named by its String, and a nil one "", so that those share a limit and none is without.
func ByIP(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	var ip netip.Addr
	switch a := addr.(type) {
	case *net.TCPAddr:
		ip = a.AddrPort().Addr()
	case *net.UDPAddr:
		ip = a.AddrPort().Addr()
	default:
		text := addr.String()
		if with, err := netip.ParseAddrPort(text); err == nil {
			ip = with.Addr()
		} else if ip, err = netip.ParseAddr(text); err != nil {
			return text
		}
	}
	ip = ip.Unmap().WithZone("")
	if !ip.Is6() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}
