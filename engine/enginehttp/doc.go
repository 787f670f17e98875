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
package enginehttp
