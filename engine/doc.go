// Package engine puts a circuit breaker, a rate limiter and a retry loop around any call, isolated per key: a user, a
// tenant, an address, a connection, an upstream.
//
// # The life of a call
//
//	Do(ctx, eng, "tenant-7", fn)
//	  1  the key's actor decides       breaker first, then limiter, in one step: go, wait in the queue, or *Rejection;
//	                                   what it has decided already, callers read at the key's gate without a message
//	  2  fn runs                       on the caller's own goroutine
//	  3  the outcome is recorded       before Do returns
//	  4  retry?                        wait the backoff, back to 1: every attempt is a real request
//
// A nil stage of the [Config] is off, so the literal is the pipeline. Every key has a bucket and a breaker of its own, so
// that one bad tenant opens the breaker of nobody else.
//
// # Which function to use
//
// [Do] for a call with a result, [Engine.Run] for one without, [Go] for one in the background. [Engine.Admit] splits
// admission from outcome, for streams and queues. [Engine.Allow] and [Engine.Acquire] use the limiter alone. [Engine.Key]
// gives a handle for a key that is used often.
//
// # Errors
//
// What fn returns comes back as it is; after retries that were used up, in a *retry.ExhaustedError. What the engine itself
// refuses is a [*Rejection] around one of breaker.ErrOpen, limiter.ErrLimited, limiter.ErrExceedsCapacity, [ErrQueueFull],
// [ErrKeyLimit], [ErrClosed]. A context that ends gives the context's error. errors.Is and errors.AsType work on all of them.
//
// # Concurrency
//
// All functions and methods may be called by any goroutine, also from inside fn and for the same key. The engine has one
// goroutine of its own, and one for each key about which there is something to decide (see [Dispatch]); [Engine.Close] ends
// them all. The functions of the configuration
// (Classify, RetryIf) run on the caller's goroutine, never inside an actor.
package engine
