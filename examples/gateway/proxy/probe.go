package proxy

import (
	"bytes"
	"errors"
	"io"
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
	u := x.upload
	if u == nil || !p.probing() || x.keys.short() { // a client that is refused does not send a body first
		return p.next.RoundTrip(req)
	}
	if !u.whole.Load() {
		if err := u.fill(); err != nil {
			return nil, errors.Join(err, req.Body.Close())
		}
	}
	return p.next.RoundTrip(u.settled(req))
}

// settled returns req for an enginehttp.Transport that takes no second token if req is a probe:
// with a body in memory, or with a body that cannot be sent again.
func (u *upload) settled(req *http.Request) *http.Request {
	body, get := req.Body, req.GetBody
	req = req.WithContext(req.Context()) // a copy
	req.GetBody = nil
	if get == nil || u.spilt.Load() || !u.whole.Load() {
		return req
	}
	_ = body.Close() // has no error
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(u.kept)), nil }
	req.Body, _ = req.GetBody()
	return req
}
