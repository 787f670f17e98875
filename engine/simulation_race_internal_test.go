//go:build race

package engine

// simulations is how many seeds are simulated without a flag; fewer, because the race detector is
// slow.
const simulations = 6
