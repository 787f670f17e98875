//go:build race

package actors_test

// peak is smaller under the race detector, which takes twenty times as long for it.
const peak = 40_000
