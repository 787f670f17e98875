package proxy

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// note writes the line for a request that has ended. The line has neither the query nor the value
// of a header: if a header tells clients apart, the line has a hash of the value, which changes
// with each start of the gateway.
func (g *Gateway) note(x *exchange, r *http.Request, took time.Duration) {
	name, upstream, key := "", "", ""
	if x.route != nil {
		name, upstream = x.route.config.Name, x.route.host
		if x.route.config.Key.Header != "" && x.route.limits != nil {
			if value := x.route.client(r); value != "" {
				key = g.hash(value)
			}
		}
	}
	status := x.status
	if status == 0 {
		status = http.StatusOK // the status of net/http for an answer without one
	}
	attrs := append(make([]slog.Attr, 0, 10),
		slog.String("method", short(r.Method)), slog.String("path", short(pathOf(r.URL))), slog.String("route", name), slog.Int("status", status),
		slog.Int64("bytes", x.bytes.Load()), slog.Duration("duration", took), slog.String("client", short(x.table.client(r))),
		slog.String("upstream", upstream))
	if key != "" {
		attrs = append(attrs, slog.String("key", key))
	}
	if x.cut {
		attrs = append(attrs, slog.Bool("cut", true)) // the answer broke off
	}
	g.log.LogAttrs(context.Background(), slog.LevelInfo, "request", attrs...)
}

// pathOf returns the path for the log; of a target without a path, the whole target.
func pathOf(u *url.URL) string {
	if pathless(u) {
		return u.Scheme + ":" + u.Opaque
	}
	return u.Path
}

// mostLogged is the number of bytes up to which a value is logged as a whole. An escaped byte takes
// up to six bytes in the log.
const mostLogged = 512

// short returns s, or the beginning of s and the number of bytes that are missing.
func short(s string) string {
	if len(s) <= mostLogged {
		return s
	}
	return fmt.Sprintf("%s...(%d bytes more)", s[:mostLogged], len(s)-mostLogged)
}

// noteDirect writes the line for an answer with which net/http refuses a request without the
// handler. head is the beginning of the request, if the request is the first on its connection.
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
		slog.String("client", g.table.Load().client(&http.Request{RemoteAddr: c.RemoteAddr().String()})))
}
