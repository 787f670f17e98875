package proxy

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"time"
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
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.String("route", name), slog.Int("status", status),
		slog.Int64("bytes", x.bytes), slog.Duration("duration", took), slog.String("client", g.client(r)), slog.String("upstream", upstream))
	if key != "" {
		attrs = append(attrs, slog.String("key", key))
	}
	if x.cut {
		attrs = append(attrs, slog.Bool("cut", true)) // the answer broke off
	}
	g.log.LogAttrs(context.Background(), slog.LevelInfo, "request", attrs...)
}
