// Package engine puts a circuit breaker, a rate limiter and a retry loop around any call, isolated per
// key. A key is a string that names a user, a tenant, an address, a connection or an upstream.
//
// # The life of a call
//
//	Do(ctx, eng, "tenant-7", fn)
//	  1  breaker and limiter decide    in one step: the call passes, waits in the queue, or is refused
//	  2  fn runs                       on the caller's own goroutine
//	  3  the outcome is recorded       before Do returns
//	  4  retry?                        wait the backoff, back to 1: every attempt is a real request
//
// A nil stage of the [Config] is off. Every key has a bucket and a breaker of its own, so one bad tenant
// opens the breaker of nobody else.
//
// # Functions
//
//   - [Do] runs a function with a result, [Engine.Run] a function without a result, [Go] a function in
//     the background.
//   - [Engine.Admit] splits the decision from the outcome, for streams and queues.
//   - [Engine.Allow] and [Engine.Acquire] use the limiter alone and skip the breaker.
//   - [Engine.Key] gives a handle for a key that is used often. [Key.NoWait] and [Key.Within] bound the
//     wait of single calls.
//
// # Errors
//
// An error of fn comes back as it is. After retries that were used up, the error is a
// *retry.ExhaustedError around the last error of fn. A refusal by the engine is a [*Rejection], which
// holds one of breaker.ErrOpen, limiter.ErrLimited, limiter.ErrExceedsCapacity, [ErrQueueFull],
// [ErrKeyLimit] and [ErrClosed]. A failed call that was to be tried again and was stopped is a
// [*StoppedError]. A context that has ended gives the context's error, which holds its cause.
// errors.Is and errors.AsType work on all of these.
//
// # Waiting
//
// A call that finds no token waits in the queue of its key, first come, first served. If the wait would
// outlast the context's deadline, Config.MaxWait or [Key.Within], the call is refused at once, and
// [Rejection.RetryAfter] says when to come back. The zero Config.MaxWait is no bound: servers that
// answer "too many requests" set it to [NoWait], or call through [Key.NoWait].
//
// # Concurrency
//
// Any goroutine may call any function and method, also inside fn and for the same key. An engine has
// one goroutine of its own, and one goroutine for each key about which the engine has something to
// decide; see [Dispatch]. [Engine.Close] ends them all. The functions of the configuration (Classify,
// RetryIf) run on the caller's goroutine.
package engine
