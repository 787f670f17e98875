// Package peers puts every limiter and every breaker of package contender, ours among them, through the same faults: those
// that limiters and breakers were found to have, each as a check that measures by how much.
//
// A [Fault] is one check. What it finds about one [Subject] is a [Finding], and [Markdown] makes the table of all. Findings
// about others are reported and never asserted, so that a row which a newer version repairs turns clean by itself; ours must
// be clean.
//
// A check that is Simulated sleeps, and is meant for a testing/synctest bubble, in which an hour takes no time. A subject may
// block for ever or bring the process down, so that whoever runs a check should do it in a process of its own, as this
// package's test does.
package peers
