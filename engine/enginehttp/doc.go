// Package enginehttp puts an engine around HTTP with the standard library alone.
//
// # Requests that are sent
//
// A [Transport] is an http.RoundTripper that sends every request under the guard of an engine:
// breaker, limiter and retries, for each host by itself.
//
//	client := &http.Client{
//		Transport: &enginehttp.Transport{Engine: eng},
//		Timeout:   10 * time.Second,
//	}
//
// Requests, responses, redirects and cookies stay as they are. Without a Timeout a request waits
// for the limiter for as long as its context and Config.MaxWait allow.
//
// A Transport sends a request again only if a repetition can do no harm and is possible: the method
// is idempotent or the request has an Idempotency-Key, and the body can be had once more.
// [DefaultRetryable] decides whether a repetition is worth it: after the statuses 408, 429, 502,
// 503 and 504, and after errors of the connection. The engine's retry.Policy decides how often, and
// after which backoff; without a policy there is no retry. If a server says with Retry-After how
// long to wait, the Transport sends nothing earlier; [RetryAfter] reads the field.
//
// The caller gets the last response, also if its status is an error, and not an error about retries
// that were used up. [DefaultClassify] decides the meaning of an attempt for the breaker: only the
// upstream's own doing is a failure.
//
// # Requests that are served
//
// A [Handler] lets requests through to an http.Handler as far as an engine admits them, for each
// client by itself, and refuses the others at once. The answer to a refused request is 429 if the
// client has used up its limit, and 503 if the breaker, the queue or a shutdown refuses, with
// Retry-After and the RateLimit fields.
//
//	h := &enginehttp.Handler{Engine: eng, Key: enginehttp.RemoteIP(0), Next: mux}
//	err := http.ListenAndServe(addr, h)
//
// [RemoteIP] and [Header] make keys. For the breaker, a panic and an answer of 500 and above are
// failures, except 501 and 505. [Refuse] writes the same refusal for handlers that ask an engine
// themselves, and [Fields.Tell] the RateLimit fields.
//
// # Several keys
//
// With a field Chain in place of Engine and Key, the keys of several engines decide about a request
// together: the limit of a user and the breaker of a host, say. A key that refuses costs the
// narrower keys no token.
//
//	client.Transport = &enginehttp.Transport{
//		Chain: func(r *http.Request) (engine.Key, error) {
//			return engine.Chain(users.Key(userOf(r)), hosts.Key(r.URL.Host)), nil
//		},
//	}
//
// A Handler answers 429 if the key that refuses has used up its limit, and else 503; Retry-After is
// about all keys, and the RateLimit fields are about the first. If a probe's body is awaited for
// too long, the places of the probe go back in all engines. The call then asks all keys once more
// when the call ends, and is still the probe if a breaker waits for one.
//
// # Statistics
//
// [Handler.Stats] and [Transport.Stats] count requests by the class of the status, from 1xx to 5xx,
// as Envoy and HAProxy do. The classes and the other ends of a request, such as a refusal, an error
// and a panic, are a fixed set: no client and no upstream adds a series to a system of metrics by
// inventing a status. A Transport counts its requests and, beside them, its attempts. engine.Stats
// has the reasons of the refusals. Counting allocates nothing.
//
// # The engine's configuration
//
// A Transport and a Handler honour the fields of engine.Config as this table says. A field that
// cannot be honoured is an [*engine.ConfigError] at the first use: RoundTrip returns the error, and
// ServeHTTP panics with the error. The table holds for each engine of a Chain.
//
//	field       Transport                      Handler
//	Name        honoured                       honoured
//	Limiter     honoured                       honoured
//	LimiterFor  honoured                       honoured
//	Concurrency  honoured: until the body of     honoured: until the answer's end
//	            the answer is at its end
//	Breaker     honoured                       honoured
//	Retry       honoured; in a Chain that of   error: a request is served once
//	            the first engine with a Retry
//	PerCall     honoured: an attempt after     honoured, a request is served once
//	            the first takes no token
//	Shadow      honoured                       honoured
//	Timeout     honoured: until the body of    error: use http.TimeoutHandler
//	            the answer is at its end
//	AttemptTimeout  honoured: likewise, with   error: use http.TimeoutHandler
//	            Transport.AttemptTimeout
//	MaxWait     honoured                       honoured; Handler.Wait bounds the stay as well
//	MaxQueue    honoured                       honoured
//	Classify    error: Transport.Classify      error: the status of the answer decides
//	Trace       honoured                       honoured
//	Latency     honoured                       honoured: from the decision to the answer's end
//	MaxKeys     honoured                       honoured
//	IdleAfter   honoured                       honoured
//	Clock       honoured; time limits and      honoured
//	            dates are the system's
//	Dispatch    honoured                       honoured
//
// # Keys
//
// Keys that come from outside are normalised and short. All spellings of a host are one key. An
// address that embeds an IPv4 address has the key of the IPv4 address. A key of more than 256 bytes
// is replaced by its SHA-256 in hexadecimal, also if a function of yours has made the key. The keys
// of a Chain are used as they are: [RemoteIP] and [Header] make short keys, and a Chain of a
// Handler should return an error for a key of its own that is long or ambiguous. If the first key
// is of a Header with several lines, the answer is 400 without that.
package enginehttp
