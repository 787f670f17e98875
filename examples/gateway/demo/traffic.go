package demo

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// traffic is the script's clients at work.
type traffic struct {
	script  script
	url     string
	http    *http.Client
	start   time.Time
	record  record
	sending errgroup.Group // ends when the context of begin does
}

// newTraffic makes clients of the gateway at url, which send nothing yet.
func newTraffic(s script, n network, url string) *traffic {
	return &traffic{
		script: s,
		url:    url,
		http: &http.Client{
			Timeout:   2 * time.Second, // longer than all attempts of the gateway together
			Transport: &http.Transport{DialContext: n.DialContext, MaxIdleConnsPerHost: 64},
		},
	}
}

// close gives the connections back. Nothing may be under way.
func (t *traffic) close() { t.http.CloseIdleConnections() }

// warm has every client send two requests to each of its routes, so that the later measurements
// contain no setting up of connections. warm fails if a request is not answered.
func (t *traffic) warm(ctx context.Context) error {
	calls, ctx := errgroup.WithContext(ctx)
	for _, c := range t.script.cast {
		for _, r := range c.routes {
			for range 2 {
				calls.Go(func() error {
					name := t.script.routes[r].name
					resp, err := t.get(ctx, c.name, name)
					if err != nil {
						return fmt.Errorf("the gateway does not serve /%s/: %w", name, err)
					}
					if resp.StatusCode != http.StatusOK {
						return fmt.Errorf("the gateway does not serve /%s/: it answers %s", name, resp.Status)
					}
					return nil
				})
			}
		}
	}
	return calls.Wait()
}

// begin has the clients send until ctx ends. Times are measured from start.
func (t *traffic) begin(ctx context.Context, start time.Time) {
	t.start = start
	for c, who := range t.script.cast {
		for _, r := range who.routes {
			t.sending.Go(func() error { return t.send(ctx, c, r) })
		}
	}
}

// wait returns when the clients have stopped.
func (t *traffic) wait() { _ = t.sending.Wait() } // no goroutine of sending returns an error

// lag is the longest time by which a client may fall behind its pace. A client further behind skips
// the missed requests, so that a machine that was busy for a while need not bear all of the missed
// requests at once.
const lag = 100 * time.Millisecond

// send sends client c's requests to route r. No request is held up by an earlier request.
func (t *traffic) send(ctx context.Context, c, r int) error {
	who := t.script.cast[c]
	gaps := rand.New(rand.NewPCG(uint64(c), uint64(r)))
	mean := time.Second / time.Duration(who.rate)
	next := t.start
	var calls errgroup.Group // each ends when ctx does
	for {
		if now := time.Now(); now.Sub(next) > lag {
			next = now
		}
		next = next.Add(mean/2 + time.Duration(gaps.Int64N(int64(mean))))
		if who.rests(next.Sub(t.start)) {
			continue
		}
		select {
		case <-time.After(time.Until(next)):
			calls.Go(func() error { t.call(ctx, c, r); return nil })
		case <-ctx.Done():
			return calls.Wait()
		}
	}
}

// call sends one request and records its end, unless the demonstration ends first.
func (t *traffic) call(ctx context.Context, c, r int) {
	a := answer{client: c, route: r, class: failed, began: time.Since(t.start)}
	t.record.begin(r, a.began)
	resp, err := t.get(ctx, t.script.cast[c].name, t.script.routes[r].name)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		a.class = classOf(resp)
	}
	a.ended = time.Since(t.start)
	t.record.end(a)
}

// get sends one request and reads the whole answer.
func (t *traffic) get(ctx context.Context, key, route string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+"/"+route+"/", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-API-Key", key)
	resp, err := t.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp, err
}

// classOf classifies an answer. A 503 without the mark of an upstream comes from the gateway
// itself.
func classOf(resp *http.Response) class {
	switch code := resp.StatusCode; {
	case code/100 == 2:
		return answered
	case code == http.StatusTooManyRequests:
		return limited
	case code == http.StatusServiceUnavailable && resp.Header.Get(mark) == "":
		return refused
	default:
		return failed
	}
}
