//go:build race

package engine_test

// churn is how many keys come between two tries of an attacker; fewer, because the race detector is slow.
const churn = 60
