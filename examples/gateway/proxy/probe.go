package proxy

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// errMadeWay is why the context of an upload ends that the breaker has let through as a probe, and whose client keeps it waiting.
var errMadeWay = errors.New("proxy: another request tries the upstream")

// unhurried is how long an upload may be a probe if it is another upload that would take its place.
const unhurried = 10 * time.Second

// probes are the uploads under way that the breaker has let through as probes, and whose clients have not sent all of them.
type probes struct {
	some atomic.Bool // there are any

	mu  sync.Mutex
	all map[*exchange]probe
}

type probe struct {
	since time.Time
	ended chan struct{} // closed when the breaker has its outcome
}

// add adds the upload of x.
func (p *probes) add(x *exchange) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.all[x]; known {
		return
	}
	if p.all == nil {
		p.all = map[*exchange]probe{}
	}
	p.all[x] = probe{time.Now(), make(chan struct{})}
	p.some.Store(true)
}

// remove removes the upload of x, if it is among them.
func (p *probes) remove(x *exchange) {
	if !p.some.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if probe, known := p.all[x]; known {
		close(probe.ended)
		delete(p.all, x)
		p.some.Store(len(p.all) > 0)
	}
}

// makeWay ends the uploads that have been probes for longer than age, and waits until they are no longer, or until ctx ends.
func (p *probes) makeWay(ctx context.Context, age time.Duration) {
	if !p.some.Load() {
		return
	}
	var ended []chan struct{}
	p.mu.Lock()
	for x, probe := range p.all {
		if !x.upload.whole.Load() && time.Since(probe.since) >= age {
			x.cancel(errMadeWay)
			ended = append(ended, probe.ended)
		}
	}
	p.mu.Unlock()
	for _, ended := range ended {
		select {
		case <-ended:
		case <-ctx.Done():
			return
		}
	}
}

// prober sees to it that a probe does not depend on a client that has not sent its body. Before the breaker is asked for a probe, the body is
// read, as far as it can be kept. A body that is larger may be a probe as long as nothing better comes.
type prober struct {
	next    http.RoundTripper // asks the breaker
	probing func() bool
	probes  *probes
}

// RoundTrip implements http.RoundTripper.
func (p *prober) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeIn(req.Context())
	whole := x == nil || x.upload == nil || x.upload.whole.Load()
	if !whole && p.probing() {
		if err := x.upload.fill(); err != nil {
			return nil, errors.Join(err, req.Body.Close())
		}
		whole = x.upload.whole.Load()
	}
	age := unhurried
	if whole {
		age = 0
	}
	p.probes.makeWay(req.Context(), age)
	defer p.probes.remove(x)
	return p.next.RoundTrip(req)
}

// CloseIdleConnections is for those around.
func (p *prober) CloseIdleConnections() {
	if next, ok := p.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}
