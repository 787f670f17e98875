package proxy

import (
	"errors"
	"net/http"
)

// prober sees to it that a probe does not depend on a client that has not sent its body. If the breaker is asked for a probe, the body is
// read first, as far as it can be kept. A larger body cannot be had again, so that an enginehttp.Transport gives the place of the probe back
// when the client keeps it waiting.
type prober struct {
	next    http.RoundTripper // asks the breaker
	probing func() bool
}

// RoundTrip implements http.RoundTripper.
func (p *prober) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeIn(req.Context())
	if u := x.upload; u != nil && !u.whole.Load() && p.probing() {
		if err := u.fill(); err != nil {
			return nil, errors.Join(err, req.Body.Close())
		}
		if !u.whole.Load() {
			req = req.WithContext(req.Context())
			req.GetBody = nil
		}
	}
	return p.next.RoundTrip(req)
}
