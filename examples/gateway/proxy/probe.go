package proxy

import (
	"errors"
	"net/http"
)

// prober keeps probes from clients that have not sent their bodies. If the breaker is half-open,
// the body is read before the breaker is asked, up to mostKept bytes. While the client is awaited
// for the rest of a larger body, and for a body whose request has become a probe since, an
// enginehttp.Transport gives the place of the probe back.
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
	}
	return p.next.RoundTrip(req)
}
