package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// trouble is a fault of a shard. A shard is the part of the server that serves one tenant.
type trouble uint8

const (
	healthy trouble = iota
	flaky           // now and then a 503
	slow            // now and then a late answer
	busy            // now and then a 429 with Retry-After
	dying           // for a while the server closes every connection, then answers 503, then is well again
)

// every is the number of answers of which one is bad.
var every = map[trouble]int{flaky: 12, slow: 15, busy: 40}

// answer is the treatment of one request.
type answer struct {
	delay      time.Duration
	status     int // 0: the connection is closed without an answer
	retryAfter int // in seconds, for a 429
}

// schedule has every fault of a run, and follows from the seed and the length of the run alone.
type schedule struct {
	seed uint64
	// The dying shard closes connections from dead on, answers 503 from failing on, and is well
	// from well on.
	dead, failing, well time.Duration
}

// newSchedule begins the trouble early in a run of the given length, so that the end shows the
// recovery.
func newSchedule(seed uint64, length time.Duration) schedule {
	r := rand.New(rand.NewPCG(seed, 0))
	s := schedule{seed: seed}
	s.dead = (length/6 + upTo(r, length/12)).Round(time.Millisecond)
	s.failing = s.dead + min(2*time.Second, length/3)
	s.well = s.failing + min(700*time.Millisecond, length/9)
	return s
}

// answer is the answer to request n of shard, which has the trouble t, at the given time of the
// run.
func (s schedule) answer(shard int, t trouble, n uint64, at time.Duration) answer {
	a := answer{delay: 2*time.Millisecond + upTo(s.random(shard, n), 6*time.Millisecond), status: http.StatusOK}
	if t == dying {
		switch {
		case at >= s.dead && at < s.failing:
			a.status = 0
		case at >= s.failing && at < s.well:
			a.status = http.StatusServiceUnavailable
		}
		return a
	}
	// One bad answer in each block, never several in a row: this is noise, and no reason for a
	// breaker to open.
	size := uint64(every[t])
	if size == 0 || n%size != s.random(shard, ^(n/size)).Uint64N(size) {
		return a
	}
	switch t {
	case flaky:
		a.status = http.StatusServiceUnavailable
	case slow:
		a.delay += 200 * time.Millisecond
	case busy:
		a.status, a.retryAfter = http.StatusTooManyRequests, 1
	}
	return a
}

// random has a source for each number of a shard, so that the order of requests does not matter.
func (s schedule) random(shard int, number uint64) *rand.Rand {
	return rand.New(rand.NewPCG(s.seed+uint64(shard)<<32, number))
}

func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

// upstream is the HTTP server, which follows a schedule.
type upstream struct {
	plan     schedule
	start    time.Time
	server   http.Server
	address  string
	requests []atomic.Uint64 // by shard
	serving  errgroup.Group
}

func startUpstream(n network, plan schedule, start time.Time) (*upstream, error) {
	listener, err := n.Listen()
	if err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	u := &upstream{
		plan:     plan,
		start:    start,
		address:  listener.Addr().String(),
		requests: make([]atomic.Uint64, len(tenants)),
	}
	mux := http.NewServeMux()
	for i, t := range tenants {
		mux.HandleFunc("GET /"+t.name, func(w http.ResponseWriter, r *http.Request) { u.serve(w, r, i) })
	}
	u.server.Handler = mux
	u.serving.Go(func() error { return u.server.Serve(listener) }) // ends with close
	return u, nil
}

func (u *upstream) url(t tenant) string { return "http://" + u.address + "/" + t.name }

func (u *upstream) serve(w http.ResponseWriter, r *http.Request, shard int) {
	n := u.requests[shard].Add(1) - 1
	a := u.plan.answer(shard, tenants[shard].trouble, n, time.Since(u.start))
	select {
	case <-time.After(a.delay):
	case <-r.Context().Done(): // the caller has left
		return
	}
	if a.status == 0 {
		panic(http.ErrAbortHandler) // package http then closes the connection, and logs nothing
	}
	if a.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(a.retryAfter))
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, http.StatusText(a.status)) // an error means that the caller has left
}

// close ends the server and cuts its connections.
func (u *upstream) close() error {
	err := u.server.Close()
	if served := u.serving.Wait(); !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
