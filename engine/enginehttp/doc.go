// Package enginehttp puts an engine around HTTP with the standard library alone.
//
// # Requests that are sent
//
// A [Transport] is an http.RoundTripper that sends every request under the guard of an engine: breaker, limiter and retries, for each host
// by itself.
//
//	client := &http.Client{Transport: &enginehttp.Transport{Engine: eng}}
//
// Nothing else is needed; requests, responses, redirects and cookies are as they were. A request is sent again only if that can do no
// harm (its method is idempotent or it has an Idempotency-Key) and only if it can be done (its body can be had once more). What is worth
// it is for [DefaultRetryable] to say: the statuses 408, 429, 502, 503 and 504, and errors of the connection. How often, and after what
// backoff, is for the engine's retry.Policy; without one there is no retry. When a server says with Retry-After how long to wait, nothing
// is sent earlier; [RetryAfter] reads it.
//
// Whatever comes last is what the caller gets: if there is a response, then the response, whatever its status, and not an error about
// retries that were used up.
//
// # Requests that are served
//
// A [Handler] lets requests through to an http.Handler as far as an engine admits them, for each client by itself, and answers the
// others: 429 when the client has used up its limit, 503 when the breaker, the queue or the shutdown says no, with Retry-After and the
// RateLimit fields.
//
//	http.ListenAndServe(addr, &enginehttp.Handler{Engine: eng, Key: enginehttp.RemoteIP(0), Next: mux})
//
// [RemoteIP] and [Header] are keys. The breaker sees what comes of a request that was let through: an answer of 500 and above and a panic
// are failures.
package enginehttp
