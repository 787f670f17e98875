package enginehttp

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// connectionWait notes how far an attempt has come on its way to a connection.
type connectionWait struct{ asked, begun atomic.Bool }

// watch returns ctx with a trace that notes in w.
func (w *connectionWait) watch(ctx context.Context) context.Context {
	begun := func() { w.begun.Store(true) }
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { w.asked.Store(true) },
		GotConn:      func(httptrace.GotConnInfo) { begun() },
		DNSStart:     func(httptrace.DNSStartInfo) { begun() },
		ConnectStart: func(string, string) { begun() },
	})
}

// waiting reports whether the attempt has asked for a connection, has none, and has not begun to
// make one: as many are open as the http.Transport may have.
func (w *connectionWait) waiting() bool { return w.asked.Load() && !w.begun.Load() }

// mayWait reports whether an attempt with ctx can end while it waits for a connection that is not
// there because of a bound of base.
func mayWait(ctx context.Context, base http.RoundTripper) bool {
	if t, ok := base.(*http.Transport); ok && t.MaxConnsPerHost <= 0 {
		return false
	}
	_, bounded := ctx.Deadline()
	return bounded
}
