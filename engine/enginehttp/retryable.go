package enginehttp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// DefaultRetryable is the Retryable of a Transport without Retryable. DefaultRetryable reports
// whether another attempt is worth it after an attempt that ended with resp, or else with err. A
// Retryable of your own can call DefaultRetryable for the attempts that it does not decide itself.
//
// Another attempt is worth it after the statuses 408 Request Timeout, 429 Too Many Requests, 502
// Bad Gateway, 503 Service Unavailable and 504 Gateway Timeout. A 500 says nothing of being
// temporary.
//
// Another attempt is worth it after every error except these, which another attempt would meet
// again: the context of req has ended; an engine in Base has refused ([*engine.Rejection]); the
// server's certificate was not accepted, the server does not speak TLS, or refuses the handshake
// that the caller offers; the caller has made a mistake, or this process has run out of something,
// as listed at [DefaultClassify]. The http.Client above follows redirects, so that a loop of
// redirects is no error here.
func DefaultRetryable(req *http.Request, resp *http.Response, err error) bool {
	if err != nil {
		return retryableError(req, err)
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func retryableError(req *http.Request, err error) bool {
	if req.Context().Err() != nil || withdrawn(req) || req.URL == nil || req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return false
	}
	_, refused := errors.AsType[*engine.Rejection](err)
	return !refused && !unverified(err) && !callersMistake(err) && !exhausted(err) && !handshakeRefused(err)
}

// unverified reports whether err says that the server's identity is wrong or cannot be proved.
func unverified(err error) bool {
	if errors.Is(err, http.ErrSchemeMismatch) {
		return true
	}
	// A tls.Conn wraps the other errors in the first; an http.Transport.DialTLSContext may not.
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.CertificateInvalidError](err)
	return ok
}

// replayable reports whether req may and can be sent more than once. The rules of net/http leave
// out PUT and DELETE, which RFC 9110, section 9.2.2, has among the idempotent methods.
func replayable(req *http.Request) bool {
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return false
	}
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	// As in net/http, a key without a value counts, too, and is not sent.
	if _, ok := req.Header["Idempotency-Key"]; ok {
		return true
	}
	_, ok := req.Header["X-Idempotency-Key"]
	return ok
}

// withdrawn reports whether the caller has given up by closing Request.Cancel, as was usual before
// there were contexts. With a Timeout, an http.Client closes Cancel at the context's deadline: that
// is no withdrawal.
func withdrawn(req *http.Request) bool {
	select {
	case <-req.Cancel: //nolint:staticcheck // SA1019: nobody here sets it, but callers still do
		deadline, ok := req.Context().Deadline()
		return !ok || time.Until(deadline) > 0
	default:
		return false
	}
}
