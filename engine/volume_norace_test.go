//go:build !race

package engine_test

// slowdown divides the default volumes under the race detector.
const slowdown = 1
