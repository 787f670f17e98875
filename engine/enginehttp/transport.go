package enginehttp

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// Transport is an http.RoundTripper that sends each request under the guard of an engine. Before
// every attempt the engine asks the breaker and the limiter of the request's key. If an attempt
// fails in a way that is worth another attempt, the engine's retry.Policy says when. Only Engine,
// or Chain in its place, must be set. Any goroutine may use a Transport; do not change the fields
// while it is in use, and do not copy a Transport after its first use.
//
// [DefaultClassify] decides the meaning of an attempt for the breaker. In addition, an attempt
// whose caller has left counts neither way. An attempt that the caller's deadline or a time limit
// ends is a failure, unless the caller or this process had used up the time: the body of the
// request was awaited, or a connection beyond MaxConnsPerHost of Base, if Base is an
// *http.Transport that dials itself or with the DialContext of a net.Dialer. With any other Base or
// dialer, such a wait looks like a dial that hangs, and is a failure.
//
// A 503 Service Unavailable that is a Failure opens the breaker for the time that its Retry-After
// asks for, if the breaker.Policy of the engine has a MaxRecovery, and for MaxRecovery at most: see
// engine.Verdict.OpenFor. A Classify that calls the answer no Failure keeps the breaker closed.
//
// A Transport makes an attempt after the first if all of these hold. The engine has a retry.Policy
// with attempts, time and delay to spare. Retryable says that the attempt is worth it. The method
// is GET, HEAD, OPTIONS, TRACE, PUT or DELETE (RFC 9110, section 9.2.2), or the request has the
// header Idempotency-Key or X-Idempotency-Key. And the request has no body, or a GetBody, which
// http.NewRequest sets for the usual readers. An http.Transport as Base sends a request again by
// itself if a connection from its pool was closed before the connection was used; that is one
// attempt here.
//
// If the last attempt brought a response, RoundTrip returns that response and a nil error, also if
// the attempts are used up, if the breaker or the limiter refuses another attempt, or if the engine
// is closed meanwhile. A response stays open, and keeps its connection, while the engine waits for
// the next attempt. Just before that attempt the response is closed, and its body is read first, 4
// KiB and 100 ms at most, so that the connection can be used again.
//
// If the last attempt brought no response, the error is that of [engine.Do]. A request that the
// engine refuses before anything was sent gives a [*engine.Rejection]. A context that ends while
// RoundTrip waits gives the context's error. An http.Client wraps all of these in a *url.Error,
// through which errors.Is, errors.AsType and Timeout see them.
//
// Where an engine has a Concurrency, an attempt holds its place until the body of the answer has been
// closed or read to its end, so close every body. An answer that was worth another attempt, and is
// returned because none followed, holds no place.
//
// Three time limits bound an attempt until its response has been read: AttemptTimeout, and
// Config.AttemptTimeout and Config.Timeout of the engine. The shortest ends it. The error of
// RoundTrip, or of the Read of the body, is engine.ErrAttemptTimeout or engine.ErrTimeout for
// errors.Is, and context.DeadlineExceeded. The breaker judges an attempt when its header is there:
// a time limit that ends in the body is the business of the reader alone. Config.Timeout bounds all
// attempts together, and the waits between them, as the Timeout of an http.Client does; but a probe
// whose body is perhaps still to come from a client, see below, has that time for itself. After a 101
// Switching Protocols net/http heeds no time limit.
//
// A response that is kept while the engine waits for the next attempt is read in the time of its own
// attempt. If that time of the engine ends meanwhile, and no further attempt follows, RoundTrip
// returns the engine's error and no response.
//
// A request with a body that is neither in memory nor in a regular file is perhaps passed on from a
// client that has yet to send the body. A probe of the breaker does not depend on such a client: if
// the body is awaited for 100 ms in all, the place of the probe goes to another request. The first
// request goes on, and is still the probe if it ends before another has decided; for that it takes
// one more token of the limiter. If such a body can be had again, an attempt that is perhaps a
// probe takes one more token as well, and is the last.
//
// With a Chain the keys of several engines decide about an attempt together, such as the limit of a
// user and the breaker of a host, as described at [engine.Chain]. The first engine with a
// retry.Policy says when another attempt is made, and a token more is a token of each key, also of
// the keys of engines with Config.PerCall.
type Transport struct {
	// Engine guards the requests, unless Chain is set. If its retry.Policy has a RetryIf, RetryIf
	// must agree to a retry, too; RetryIf sees the error of the attempt, or an error that names the
	// status. Engine must not have a Config.Classify.
	Engine *engine.Engine
	// Base sends a single attempt. Default: http.DefaultTransport.
	Base http.RoundTripper
	// Key returns the engine's key for a request. Default: the host of the URL, with the port
	// unless that is the default port of the scheme, in the one spelling that all spellings of the
	// host have in common: lower case, ASCII, no dot at the end, addresses in canonical form.
	Key func(*http.Request) string
	// Chain stands in for Engine and Key if several keys decide about a request: Chain returns the
	// key of a request, such as engine.Chain makes. NoWait and Within of the Key hold. No engine
	// may have a Config.Classify. If Chain returns an error, RoundTrip returns that error and sends
	// nothing. Neither Engine nor Key may be set together with Chain. Default: nil.
	Chain func(*http.Request) (engine.Key, error)
	// Retryable reports whether another attempt is worth it after an attempt that ended with this
	// response, or else with this error; one of the two is nil. Retryable is asked only about
	// requests that may be sent again: no answer of Retryable lets a POST be repeated. Retryable
	// must neither read nor close the body, and runs on the goroutine of RoundTrip. Default:
	// [DefaultRetryable].
	Retryable func(*http.Request, *http.Response, error) bool
	// Classify returns the meaning of an attempt for the breaker of the request's key. The attempt
	// ended with this response, or else with this error; one of the two is nil. A Failure counts
	// for nothing if the caller has left. Classify must neither read nor close the body, and runs
	// on the goroutine of RoundTrip. Default: [DefaultClassify].
	Classify func(*http.Response, error) engine.Outcome
	// AttemptTimeout is the longest that one attempt may take until its response has been read, on
	// the system's clock. Each attempt has a context of its own, which ends when the attempt fails
	// and when the body of the response is closed or at its end. Unlike Config.AttemptTimeout of the
	// engine, AttemptTimeout bounds neither the attempt's stay in queues nor the time for which a
	// response is kept until the next attempt, and Stats.TimedOut of the engine does not count. 0 means no limit. Negative is invalid. For
	// streams without an end use http.Transport.ResponseHeaderTimeout instead.
	AttemptTimeout time.Duration
	// MaxRetryAfter is the longest Retry-After that RoundTrip waits for: if a server asks for more,
	// RoundTrip returns the response at once. Advice above the MaxDelay of the engine's
	// retry.Policy, or past the caller's deadline, has the same effect. 0 means one minute.
	// Negative is invalid.
	MaxRetryAfter time.Duration

	known   atomic.Pointer[transportEngine] // of Engine
	chained sync.Map                        // from *engine.Engine to *transportEngine, of Chain

	tally    tally
	attempts counts
}

// defaultMaxRetryAfter is the meaning of a MaxRetryAfter of 0.
const defaultMaxRetryAfter = time.Minute

// RoundTrip sends the request, as often as described at [Transport], and does not change the
// request. If a field of t or of an engine's configuration is invalid, or if Chain returns a Key
// that cannot be used, the error is an [*engine.ConfigError].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	a := &attempts{transport: t, req: req}
	t.tally.begin()
	end := endAborted // no recover: a panic of Base or Goexit goes on untouched
	defer func() {
		if a.sent {
			t.attempts.add(endAborted)
		}
		t.tally.end(end)
		if end == endAborted {
			a.abandon()
		}
	}()
	s, err := t.subjectOf(req)
	a.heeds, a.keeps = s.heeds, s.keeps
	mistaken := err != nil
	switch {
	case mistaken:
	case mayFail(req.Body):
		err = a.send(&s)
	default:
		err = s.run(req.Context(), a.once)
	}
	resp, err := a.result(err)
	end = a.ending(mistaken, resp, err)
	return resp, err
}

// CloseIdleConnections closes the idle connections of Base, if Base has a method of this name. The
// method of an http.Client calls CloseIdleConnections.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// unused returns the error of a field of an engine's Config that an adapter cannot honour.
func unused(field, reason string) error {
	return &engine.ConfigError{Field: field, Value: "set", Reason: reason}
}

func (t *Transport) base() http.RoundTripper {
	if t.Base == nil {
		return http.DefaultTransport
	}
	return t.Base
}

func (t *Transport) key(req *http.Request) string {
	switch {
	case t.Key != nil:
		return shortened(t.Key(req))
	case req.URL == nil: // Base will refuse the request
		return ""
	}
	return shortened(hostKey(req.URL.Scheme, req.URL.Host))
}

func (t *Transport) classify(resp *http.Response, err error) engine.Outcome {
	if t.Classify == nil {
		return DefaultClassify(resp, err)
	}
	return t.Classify(resp, err)
}

func (t *Transport) retryable(req *http.Request, resp *http.Response, err error) bool {
	if t.Retryable == nil {
		return DefaultRetryable(req, resp, err)
	}
	return t.Retryable(req, resp, err)
}

func (t *Transport) maxRetryAfter() time.Duration {
	if t.MaxRetryAfter == 0 {
		return defaultMaxRetryAfter
	}
	return t.MaxRetryAfter
}
