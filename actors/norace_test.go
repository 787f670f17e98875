//go:build !race

package actors_test

// peak is how many keys there are in TestA5MemoryComesBackAfterAPeak.
const peak = 200_000
