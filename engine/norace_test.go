//go:build !race

package engine_test

// churn is how many keys come between two tries of an attacker.
const churn = 1500
