//go:build !race

package engine

// simulations is how many seeds are simulated without a flag.
const simulations = 64
