// Package guard decides about one key: whether a call passes the key's breaker and limits, waits in
// the key's queue, or is refused. Package actors runs the package's [Behavior], one actor per key;
// package engine asks on behalf of callers. Package guard calls no code of users, takes no lock but
// the one of its sketch, and reads no clock but the one that it is given.
//
// # Words
//
//	chain        the keys of one call, each of an engine of its own, from narrow to wide
//	link         one key of a chain, in package engine
//	origin       the next narrower key of a chain, through which a call comes to a wider key
//	full-at      the instant at which a bucket is full again. The whole state of a bucket (the
//	             "theoretical arrival time" of the generic cell rate algorithm)
//	gate         the published part of a key: full-at, the breaker's generation and a notice
//	shared       the gate's state in which callers may move full-at
//	owned        the gate's state in which the actor has full-at for itself
//	retired      the gate's state after the key's cell has gone; look the key up again
//	notice       the actor's posting for callers about the key, beside full-at
//	clean        equal to a new key: bucket full, breaker closed with no failure counted and no
//	             growth of its open time left, nobody waiting or in flight
//	tally        the successes in the window of a key whose policy is rated, to which callers add; see package
//	             breaker
//	rated        of a policy: the breaker judges shares of the calls in a window
//	demand       one request's wishes: tokens, longest stay in the queue, whether to ask the breaker,
//	             the origin
//	receipt      the effect of a debit on the first full-at: the values before and after; the epoch
//	version      the rules from one change of the configuration to the next. A key follows a policy
//	             of a version, and is stale if a newer version is in force
//	rest         the part of a nanosecond that a change of the limits rounded off a full-at
//	epoch        the life of a bucket from a birth or a Reset on; in a receipt, the generation at the
//	             debit
//	give back    to undo a debit exactly, or not at all: full-at goes from the receipt's value after
//	             the debit to its value before
//	place        a slot in flight: a call takes one with its permit, and gives it back with the outcome
//	line         the waiters that lack nothing but a place; a queue has one
//	queue        the callers that wait for one key, in rows that take turns
//	row          the waiters of a queue that came from one origin, first come, first served
//	waiter       one caller in a row
//	parked       the state that a key's last actor left in the cell
//	spill        to evict a key that is not clean; the key's debt goes to the sketch
//	sketch       the memory of fixed size for the debts of spilled keys
//	forced       of a key: a person has opened or closed the breaker; the circuit rests meanwhile
//	permit, lease, generation    as in package breaker
package guard
