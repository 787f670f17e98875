// Package linear holds the linearizability check of package engine: its tests record what clients see of a real engine that
// they all use at once, and have porcupine look for an order in which a sequential model would have answered the same.
//
// Time is part of it. The engine runs on a clock that stands still but for steps, forwards and back, that clients make while
// others call; a step is an operation in the history of every key. All instants and durations are whole ticks of that clock.
//
// The model (model_test.go and the files after it) is written from the contract and shares no arithmetic with the engine: a
// bucket is a level that rises, a breaker a few counters and the tickets that are out, the queue a list.
package linear
