package proxy

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// note writes the line of the log for a request that has ended. The query is not in it, nor is the value of a header: clients that a
// header tells apart are called by a hash of it, which is another one after a restart.
func (g *Gateway) note(x *exchange, r *http.Request, took time.Duration) {
	name, upstream, key := "", "", ""
	if x.route != nil {
		name, upstream = x.route.config.Name, x.route.host
		if header := x.route.config.Key.Header; header != "" && x.route.limits != nil {
			if value := r.Header.Get(header); value != "" {
				key = fmt.Sprintf("%016x", maphash.String(g.seed, value))
			}
		}
	}
	status := x.status
	if status == 0 {
		status = http.StatusOK // what net/http makes of an answer without one
	}
	attrs := append(make([]slog.Attr, 0, 10),
		slog.String("method", short(r.Method)), slog.String("path", short(r.URL.Path)), slog.String("route", name), slog.Int("status", status),
		slog.Int64("bytes", x.bytes.Load()), slog.Duration("duration", took), slog.String("client", short(g.client(r))),
		slog.String("upstream", upstream))
	if key != "" {
		attrs = append(attrs, slog.String("key", key))
	}
	if x.cut {
		attrs = append(attrs, slog.Bool("cut", true)) // the answer broke off
	}
	g.log.LogAttrs(context.Background(), slog.LevelInfo, "request", attrs...)
}

// mostLogged is the number of bytes of a value of which all is logged. An escape in the log makes up to four or six of one.
const mostLogged = 512

// short is s, or its beginning and how much is missing.
func short(s string) string {
	if len(s) <= mostLogged {
		return s
	}
	return fmt.Sprintf("%s...(%d bytes more)", s[:mostLogged], len(s)-mostLogged)
}

// noteDirect writes the line for an answer that net/http gives by itself, to what it takes for no request, or for too large a one. head is
// how that begins, if it is the first on its connection.
func (g *Gateway) noteDirect(c *conn, status int, head []byte) {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	method, target, ok := strings.Cut(strings.TrimSuffix(string(line), "\r"), " ")
	if !config.IsToken(method) {
		method, target = "", ""
	} else if !ok {
		target = ""
	}
	target, _, _ = strings.Cut(target, " ")
	target, _, _ = strings.Cut(target, "?")
	g.log.LogAttrs(context.Background(), slog.LevelInfo, "request",
		slog.String("method", short(method)), slog.String("path", short(target)), slog.String("route", ""), slog.Int("status", status),
		slog.String("client", g.client(&http.Request{RemoteAddr: c.RemoteAddr().String()})))
}
