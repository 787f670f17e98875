//go:build !race

package engine_test

// The volumes without the race detector.
const (
	slowdown = 1    // divides the default volumes
	churn    = 1500 // keys that come between two tries of an attacker
)
