//go:build race

package engine_test

// The volumes under the race detector, which is slow.
const (
	slowdown = 10 // divides the default volumes
	churn    = 60 // keys that come between two tries of an attacker
)
