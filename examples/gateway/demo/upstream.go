package demo

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// template is the gateway's configuration. The name of a route stands for the address of its
// upstream, and the name with ".rate" for the rate of its limit.
//
//go:embed config.json
var template string

// mark is a header of all upstreams. With it a client can tell the 503 of an upstream from a 503 of
// the gateway.
const mark = "X-Demo-Upstream"

// upstreams are the servers, one for each route.
type upstreams struct {
	script  script
	servers []*upstream
	serving errgroup.Group            // ends with close
	start   atomic.Pointer[time.Time] // nil before begin: all are well, and nothing is counted
}

// upstream is the server behind one route.
type upstream struct {
	all     *upstreams
	route   route
	address string
	server  http.Server
	seen    atomic.Int64 // requests that have come since begin
	seenIll atomic.Int64 // requests that have come during the sickness
}

// openUpstreams starts the servers of s.
func openUpstreams(s script, n network) (*upstreams, error) {
	all := &upstreams{script: s}
	for _, r := range s.routes {
		listener, err := n.Listen()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("starting the upstream of %s: %w", r.name, err), all.close())
		}
		u := &upstream{all: all, route: r, address: listener.Addr().String()}
		u.server.Handler = u
		all.servers = append(all.servers, u)
		all.serving.Go(func() error {
			if err := u.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	return all, nil
}

// config is the configuration of a gateway in front of these upstreams, before or after the reform.
func (all *upstreams) config(after bool) []byte {
	values := map[string]string{}
	for i, u := range all.servers {
		values[u.route.name] = u.address
		values[u.route.name+".rate"] = fmt.Sprintf("%d/s", all.script.rate(i, after))
	}
	return []byte(os.Expand(template, func(name string) string { return values[name] }))
}

// begin makes now the start of the script.
func (all *upstreams) begin(now time.Time) { all.start.Store(&now) }

// mood is the mood in which u treats a request that comes now.
func (u *upstream) mood() mood {
	start := u.all.start.Load()
	if start == nil {
		return well
	}
	now := well
	if u.route.sick {
		now = u.all.script.mood(time.Since(*start))
	}
	u.seen.Add(1)
	if now != well {
		u.seenIll.Add(1)
	}
	return now
}

// ServeHTTP answers in the mood of the script.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(mark, u.route.name)
	switch u.mood() {
	case hanging:
		<-r.Context().Done() // the caller has given up, or close has cut the connection
	case resetting:
		reset(w)
	case unavailable:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "being repaired", http.StatusServiceUnavailable)
	default:
		select {
		case <-time.After(u.route.delay/2 + rand.N(u.route.delay)):
			_, _ = io.WriteString(w, u.route.name+"\n") // an error means that the caller has left
		case <-r.Context().Done():
		}
	}
}

// reset ends the connection with an RST instead of an answer.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // not HTTP/1: the next best thing, and package http logs nothing
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else Close would end the connection in an orderly way
	}
	_ = conn.Close()
}

// close ends the servers and cuts their connections.
func (all *upstreams) close() error {
	var errs []error
	for _, u := range all.servers {
		errs = append(errs, u.server.Close())
	}
	return errors.Join(append(errs, all.serving.Wait())...)
}
