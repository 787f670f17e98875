// Package engine puts a circuit breaker, a rate limiter and a retry loop around any call, isolated
// per key. A key is a string that names a user, a tenant, an address, a connection or an upstream.
//
// # The life of a call
//
//	Do(ctx, eng, "tenant-7", fn)
//	  1  breaker and limiter decide  in one step: the call passes, queues, or is refused
//	  2  fn runs                     on the caller's own goroutine
//	  3  the outcome is recorded     before Do returns
//	  4  retry?                      wait the backoff, back to 1: every attempt is a real request
//
// A nil stage of the [Config] is off. Every key has a bucket and a breaker of its own, so one bad
// tenant opens the breaker of nobody else.
//
// # Functions
//
//   - [Do] runs a function with a result, [Engine.Run] a function without a result, [Go] a function
//     in the background.
//   - [Engine.Admit] splits the decision from the outcome, for streams and queues.
//   - [Engine.Allow] and [Engine.Acquire] use the limiter alone and skip the breaker.
//   - [Engine.Key] gives a handle for a key that is used often. [Key.NoWait] and [Key.Within] bound
//     the wait of single calls.
//   - [Engine.Force] opens or closes the breaker of a key by hand.
//   - [Engine.Reconfigure] changes the configuration while calls run. Config.LimiterFor gives keys
//     limits of their own, and [Engine.Refresh] asks for one of them again.
//   - [Chain] joins keys of several engines, from narrow to wide: a call through the chain passes
//     only if every key lets the call pass. [DoKey], [GoKey] and the methods of [Key] take chains too.
//
// # Errors
//
// An error of fn comes back as it is. After retries that were used up, the error is a
// *retry.ExhaustedError around the last error of fn. A refusal by the engine is a [*Rejection],
// which names engine, key and stage and holds one of breaker.ErrOpen, limiter.ErrLimited,
// limiter.ErrExceedsCapacity, [ErrQueueFull], [ErrKeyLimit] and [ErrClosed]. A failed call that was
// to be tried again and was stopped is a [*StoppedError]. A context that has ended gives the
// context's error, which holds its cause. errors.Is and errors.AsType work on all of these.
//
// # Waiting
//
// A call that finds no token waits in the queue of its key, first come, first served. Calls that
// come through different narrower keys of a [Chain] take turns. If the wait would outlast the
// context's deadline, Config.MaxWait or [Key.Within], the call is refused at once, and
// [Rejection.RetryAfter] says when to come back. The zero Config.MaxWait is no bound: servers that
// answer "too many requests" set it to [NoWait], or call through [Key.NoWait].
//
// # Concurrency
//
// Any goroutine may call any function and method, also inside fn and for the same key. An engine
// has one goroutine of its own, and one goroutine for each key about which the engine has something
// to decide; see [Dispatch]. [Engine.Close] ends them all. The functions of the configuration
// (Classify, RetryIf, LimiterFor) run on the caller's goroutine.
//
// # Words
//
//	key        a name whose calls share a bucket, a breaker and a queue
//	limiter    the stage that bounds how many calls of a key may start; see Config.Limiter
//	bucket     the state of a limit for one key: the tokens that are there now
//	token      the unit of a limiter: a call takes one or more; the place of a leaky bucket
//	capacity   the most tokens that a bucket holds
//	chain      keys of several engines, from narrow to wide; a call passes all of the keys; see Chain
//	queue      the callers that wait for one key: for tokens or for a place
//	row        the callers in a queue that came through one narrower key of a chain, first come,
//	           first served. The rows of a queue take turns
//	waiter     one caller in a queue
//	breaker    the stage that refuses calls of a key whose calls keep failing; see Config.Breaker
//	window     the last calls of a key, or those of the last seconds, of which the breaker judges shares
//	half-open  the state of a breaker when the recovery time is over: only probes pass
//	probe      a call through a half-open breaker, to learn whether the upstream is well again
//	permit     the breaker's leave to make one call
//	place      a slot in flight: a call takes one when it is let through, and gives it back behind its
//	           outcome; see Config.Concurrency
//	line       the part of a queue that waits for a place, and for nothing else
//	give back  to undo the taking of tokens for a call that is not made, exactly or not at all; see
//	           Stats.KeptSpent
//	ticket     the engine's leave to make one call, from Engine.Admit until Ticket.Done
//	outcome    the meaning of a call's end for the breaker: Success, Failure or Ignore
//	refusal    the engine's own answer that a call may not start: a *Rejection
//	clean      equal to a new key: bucket full, breaker closed with no failure counted, no waiter,
//	           no place taken
//	evict      to forget a key; see Config.IdleAfter and Config.MaxKeys
//	force      to open or close the breaker of a key by hand; see Engine.Force
//	spill      to evict a key that is not clean, at MaxKeys; the key's debt goes to the sketch
//	debt       the tokens that a bucket lacks, and the rest of an open breaker's recovery time
//	sketch     the memory of fixed size for the debts of spilled keys
package engine
