// Package measure takes the samples of the contention study.
//
// A [Trial] takes one sample of one contender. [Run] makes rounds of trials: in every round each takes part once, the
// contenders of a group in an order that is drawn anew, so that what else the machine does hits all of them alike, and
// nobody always follows the one that leaves the most garbage behind. Every sample has a guard of its own, whose keys have been
// prepared and whose caches are warm, and begins after a forced garbage collection.
package measure
