package admin

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// origin says which requests come from an operator, and not from a page of another site that an
// operator's browser shows. Such a page can send requests to an address of the loopback interface.
// The page cannot read the answers, unless its own name leads to the address (DNS rebinding): then
// Host has that name.
type origin struct {
	name    string // of the address in the file; "" if the file has an IP address
	anyHost bool   // the address is open to the network, and may have names that the gateway does not know
}

// originOf returns the origin of a Server that was told to listen on address, "host:port".
func originOf(address string, listener net.Listener) origin {
	var o origin
	if host, _, err := net.SplitHostPort(address); err == nil {
		if _, err := netip.ParseAddr(host); err != nil {
			o.name = strings.ToLower(host)
		}
	}
	o.anyHost = !ipOf(listener.Addr()).IsLoopback()
	return o
}

// check returns the reason for which r is refused. Requests that change something must be addressed
// to the loopback interface, to the IP address of the connection, or to the name in the file. So
// must other requests, if the address is on the loopback interface; a client without a Host is no
// browser.
func (o *origin) check(r *http.Request) error {
	changes := r.Method != http.MethodGet && r.Method != http.MethodHead
	if !changes && (o.anyHost || r.Host == "") {
		return nil
	}
	if !o.names(r) {
		return fmt.Errorf("host = %q: must be localhost or the address of the gateway; the request may come from a page of another site", r.Host)
	}
	if err := http.NewCrossOriginProtection().Check(r); err != nil { // by Sec-Fetch-Site, or else by Origin
		return fmt.Errorf("the request comes from a page of another site: %w", err)
	}
	return nil
}

// names reports whether r has a Host that stands for the address, with any port: a tunnel may have
// another port.
func (o *origin) names(r *http.Request) bool {
	host := strings.ToLower((&url.URL{Host: r.Host}).Hostname())
	switch addr, err := netip.ParseAddr(host); {
	case host == "":
		return false
	case err != nil:
		return host == "localhost" || host == o.name
	case addr.Unmap().IsLoopback():
		return true
	default:
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		return local != nil && addr.Unmap().WithZone("") == ipOf(local)
	}
}

// ipOf returns the IP address of a; the zero Addr if a has none.
func ipOf(a net.Addr) netip.Addr {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}
