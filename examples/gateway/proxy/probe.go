package proxy

import (
	"errors"
	"net/http"
)

// prober keeps probes from clients that have not sent their bodies. If the breaker is half-open,
// the body is read before the breaker is asked, up to mostKept bytes. A larger body cannot be sent
// again; for such a body an enginehttp.Transport gives the place of a probe back while the client
// is awaited.
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
