package enginehttp

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/limitpal/limitpal-go/engine"
)

// DefaultClassify is the blame of a Transport without Classify: the meaning of an attempt for the
// breaker of its key. The attempt ended with resp, or else with err. A Classify can call
// DefaultClassify for the attempts that Classify does not decide itself.
//
// Only the upstream's own doing is a Failure: a status of 5xx, and an error of the connection or of
// the upstream's answer. 501 Not Implemented and 505 HTTP Version Not Supported are answers to the
// request, and a Success like any other status, since the upstream answered. 408 Request Timeout
// and 429 Too Many Requests are Ignore.
//
// An error is Ignore if the caller or this process caused the error:
//
//   - net/http cannot send the request: a line break in a header, no host, another scheme than http
//     and https, a length that is not that of the body. (A Transport knows of such a mistake also
//     if the error is only that of the connection, which net/http closes for that reason.)
//   - the body of the request could not be read
//   - this process has no more descriptors, memory, or local ports
//   - the server refuses the caller's part of a TLS handshake: the certificate, or its absence, the
//     version, the name of the host
//   - the time was up while the attempt waited for a connection that MaxConnsPerHost forbids, or
//     for most of the attempt while the body of the request was awaited. The former is known only if
//     Base is an *http.Transport that dials itself or with the DialContext of a net.Dialer
func DefaultClassify(resp *http.Response, err error) engine.Outcome {
	if err != nil {
		if _, ok := errors.AsType[localError](err); ok || callersMistake(err) || exhausted(err) || handshakeRefused(err) {
			return engine.Ignore
		}
		return engine.Failure
	}
	return outcomeOf(resp.StatusCode)
}

// outcomeOf returns the meaning of a status for a breaker.
func outcomeOf(code int) engine.Outcome {
	switch {
	case code == http.StatusNotImplemented, code == http.StatusHTTPVersionNotSupported:
		return engine.Success
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
		return engine.Ignore
	case code/100 == 5:
		return engine.Failure
	}
	return engine.Success
}

// localError marks, for Transport.Classify and DefaultClassify, an error of an attempt that failed
// because of the caller's request or body, or a bound of this process.
type localError struct{ error }

func (e localError) Unwrap() error { return e.error }

// unsendable are the beginnings of the texts with which net/http refuses to send a request. The
// errors have no types.
var unsendable = []string{
	"http: nil Request.URL",
	"http: nil Request.Header",
	"net/http: invalid header field ",
	"net/http: invalid trailer field ",
	"unsupported protocol scheme ",
	"net/http: invalid method ",
	"http: no Host in request URL",
	"http: invalid Host header",
	"net/http: can't write control character in Request.URL",
	"http: Request.ContentLength=",
	"http: ContentLength=",
	"invalid Trailer key ",
	"idna: ",
	// HTTP/2, here and in golang.org/x/net/http2
	"http2: request body larger than specified content length",
	"http2: request header list larger than peer's advertised limit",
	"invalid Connection request header: ",
	"invalid Upgrade request header: ",
	"invalid Transfer-Encoding request header: ",
	"invalid request :path ",
	"invalid HTTP header field ",
	"invalid HTTP trailer field ",
	"invalid Host header",
}

// callersMistake reports whether err says that the request cannot be sent as it is, or that a local
// file, perhaps the body, cannot be read.
func callersMistake(err error) bool {
	return anyError(err, func(err error) bool {
		switch err.(type) { //nolint:errorlint // anyError unwraps
		case *net.AddrError, *net.ParseError, net.UnknownNetworkError, net.InvalidAddrError, *fs.PathError:
			return true
		}
		text := err.Error()
		return slices.ContainsFunc(unsendable, func(start string) bool { return strings.HasPrefix(text, start) })
	})
}

// anyError reports whether is holds for err or for an error in err.
func anyError(err error, is func(error) bool) bool {
	if err == nil || is(err) {
		return err != nil
	}
	switch err := err.(type) { //nolint:errorlint // unwraps
	case interface{ Unwrap() error }:
		return anyError(err.Unwrap(), is)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(err.Unwrap(), func(err error) bool { return anyError(err, is) })
	}
	return false
}

// handshakeAnswers are the alerts (RFC 8446, section 6, and RFC 5246, section 7.2) by which a
// server refuses the client's part of a handshake: the certificate, or its absence, and the
// parameters, versions, names and protocols.
var handshakeAnswers = []tls.AlertError{40, 41, 42, 43, 44, 45, 46, 48, 49, 70, 71, 111, 112, 113, 114, 116, 120}

// handshakeRefused reports whether err is one of handshakeAnswers.
func handshakeRefused(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error" && op.Err != nil &&
		slices.ContainsFunc(handshakeAnswers, func(a tls.AlertError) bool { return a.Error() == op.Err.Error() })
}
