package enginehttp

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"reflect"
	"strings"
	"sync/atomic"
)

// attemptTrace notes what net/http says of an attempt. The hooks run on goroutines of net/http,
// also after RoundTrip has returned. If an http.Transport sends the request again by itself, the
// last note counts.
type attemptTrace struct {
	bounded      bool                  // the attempt may have to wait for a connection
	asked, begun atomic.Bool           // on the way to a connection; noted only if bounded
	write        atomic.Pointer[error] // why the request could not be written; nil if it could
}

// sendable reports whether net/http is sure to write req to a connection that can be written to.
// Fields and methods are checked before there is a connection.
func sendable(req *http.Request) bool {
	if req.Body != nil && req.Body != http.NoBody || req.ContentLength != 0 || req.Trailer != nil || req.URL == nil || req.URL.Opaque != "" {
		return false
	}
	for _, host := range [...]string{req.Host, req.URL.Host} {
		if strings.ContainsFunc(host, oddInHost) || strings.Contains(host, "xn--") {
			return false
		}
	}
	return !strings.ContainsFunc(req.URL.RawQuery, func(c rune) bool { return c < ' ' || c > '~' })
}

// oddInHost reports whether c is in few hosts, and perhaps in none that are valid.
func oddInHost(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && c != '.' && c != '-' && c != ':' && c != '[' && c != ']'
}

// newAttemptTrace returns a trace, and ctx with that trace.
func newAttemptTrace(ctx context.Context, bounded bool) (*attemptTrace, context.Context) {
	a := &attemptTrace{bounded: bounded}
	hooks := &httptrace.ClientTrace{WroteRequest: func(info httptrace.WroteRequestInfo) {
		if info.Err == nil {
			a.write.Store(nil)
		} else {
			a.write.Store(&info.Err)
		}
	}}
	if bounded {
		begun := func() { a.begun.Store(true) }
		hooks.GetConn = func(string) { a.asked.Store(true) }
		hooks.GotConn = func(httptrace.GotConnInfo) { begun() }
		hooks.DNSStart = func(httptrace.DNSStartInfo) { begun() }
		hooks.ConnectStart = func(string, string) { begun() }
	}
	return a, httptrace.WithClientTrace(ctx, hooks)
}

// waiting reports whether the attempt has asked for a connection, has none, and has not begun to
// make one: as many are open as the http.Transport may have.
func (a *attemptTrace) waiting() bool {
	return a != nil && a.bounded && a.asked.Load() && !a.begun.Load()
}

// mistaken reports whether the request could not be written because of the caller. net/http then
// closes the connection, and RoundTrip may return the error of a read from the closed connection.
func (a *attemptTrace) mistaken() bool {
	if a == nil {
		return false
	}
	err := a.write.Load()
	return err != nil && callersMistake(*err)
}

// mayWait reports whether an attempt with ctx can end while it waits for a connection that is not
// there because of a bound of base, and whether a trace is sure to tell that wait from a dial. A
// dialer that is not a net.Dialer has perhaps no hooks: a dial that hangs would look like a wait.
func mayWait(ctx context.Context, base http.RoundTripper) bool {
	t, ok := base.(*http.Transport)
	if !ok || t.MaxConnsPerHost <= 0 || t.Dial != nil || t.DialTLS != nil || t.DialTLSContext != nil || !hooked(t.DialContext) { //nolint:staticcheck // SA1019: callers still set these
		return false
	}
	_, bounded := ctx.Deadline()
	return bounded
}

// hookedDial is the code of the method DialContext of every net.Dialer.
var hookedDial = reflect.ValueOf((&net.Dialer{}).DialContext).Pointer()

// hooked reports whether dial calls the hooks of a trace: if dial is nil, as net/http dials itself,
// and if dial is the method of a net.Dialer, as in http.DefaultTransport.
func hooked(dial func(ctx context.Context, network, addr string) (net.Conn, error)) bool {
	return dial == nil || reflect.ValueOf(dial).Pointer() == hookedDial
}
