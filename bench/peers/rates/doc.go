// Package rates compares the breakers of gobreaker v2 and failsafe-go with the breaker of this
// module, decision by decision, on random traces.
//
// A [Trace] is a list of calls: when a call begins, how long it takes, and whether it fails. [Play]
// puts one trace to several [Subject]s at once. The subjects that read time.Now need a
// testing/synctest bubble, in which the time of a trace takes no time.
//
// A [Model] is the breaker of this module, and a [Rule] is a rule of a peer that the model can take
// over. The model without rules decides as this module does, and the model with all the rules of a
// peer decides as the peer does. So each difference has a reason: [Explain] returns the fewest
// rules with which the model decides as the peer does. A trace on which the model with all rules
// and the peer differ has no known reason, and fails the test of this package.
package rates
