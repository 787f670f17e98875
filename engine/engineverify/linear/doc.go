// Package linear holds the linearizability check of package engine: its tests record the calls and
// answers of clients that use a real engine at once, and have porcupine look for an order in which a
// sequential model would have answered the same.
//
// Time is part of it. The engine runs on a clock that stands still but for steps, forwards and
// back, that clients make while others call; a step is an operation in the history of every key.
// All instants and durations are whole ticks of that clock.
//
// The model (model_test.go and the files after it) is written from the contract and shares no
// arithmetic with the engine: a bucket is a level that rises, a breaker a few counters and the
// tickets that are out, the queue a list.
//
// The search leaves out orders that decide nothing (model_order_test.go), so that calls that queue
// and leave by the half-dozen are decided in a fraction of a second.
//
// A window of calls is counted at the gate by callers and looked at by the actor, and neither is one step.
// The comments of window, turn, forgotten and rested have the answers that the model allows there. A person
// may force a breaker at any time: the key is then closed beneath, and nothing counts.
//
// A call through a chain of a narrow and a wide key is in the history of both, and each history is
// judged by itself. A call that is admitted at a key and not made holds tokens there for a while
// (model_hold_test.go). Others may be refused by such a hold; the tokens come back exactly or stay
// spent, and at the end the model must have counted as many spent tokens as the engine of the key.
package linear
