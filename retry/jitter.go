package retry

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"time"
)

// Jitter names a way to spread a backoff at random. The algorithms and their names are from Marc
// Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. Below, d is the backoff
// that [Policy] computes, and U[a,b] is a uniform draw of whole nanoseconds with both ends
// included. No jitter leads above [Policy.MaxDelay]. The zero Jitter is [FullJitter].
type Jitter int

const (
	// FullJitter waits U[0,d]. FullJitter is the default: of the four, FullJitter sends a crowd of
	// callers back most evenly. A single wait may be as short as 0.
	FullJitter Jitter = iota

	// NoJitter waits exactly d. Callers that failed together come back together. NoJitter is for
	// tests, and for a caller that is alone.
	NoJitter

	// EqualJitter waits d/2 + U[0,d/2]: never less than half of the backoff.
	EqualJitter

	// DecorrelatedJitter waits min(MaxDelay, U[BaseDelay, 3 × previous]). previous is the last wait
	// of DecorrelatedJitter, and BaseDelay at first, so that no wait is below BaseDelay.
	// DecorrelatedJitter does not use [Policy.Backoff].
	DecorrelatedJitter
)

// String returns the name of the constant, or "Jitter(n)" for an unknown n.
func (j Jitter) String() string {
	switch j {
	case FullJitter:
		return "FullJitter"
	case NoJitter:
		return "NoJitter"
	case EqualJitter:
		return "EqualJitter"
	case DecorrelatedJitter:
		return "DecorrelatedJitter"
	}
	return fmt.Sprintf("Jitter(%d)", int(j))
}

func (j Jitter) known() bool { return FullJitter <= j && j <= DecorrelatedJitter }

// source draws numbers. A seeded source has a PCG of its own, which no other goroutine touches. Any
// other source draws from the runtime's generator, which is safe for all goroutines.
type source struct {
	pcg    rand.PCG
	seeded bool
}

// seededBy returns the source of one call. Seeding a PCG is two stores, so that a call that
// succeeds at once pays next to nothing.
func seededBy(seed, call uint64) source {
	src := source{seeded: seed != 0}
	src.pcg.Seed(seed, call)
	return src
}

func (src *source) uint64() uint64 {
	if src.seeded {
		return src.pcg.Uint64()
	}
	return rand.Uint64()
}

// between draws from U[lo,hi], for 0 <= lo <= hi, without bias: Daniel Lemire, "Fast Random Integer
// Generation in an Interval", ACM TOMACS 29(1), 2019. The algorithm is written out because a
// rand.Rand would hold src by an interface, which would move the schedule to the heap.
func (src *source) between(lo, hi time.Duration) time.Duration {
	n := uint64(hi-lo) + 1
	high, low := bits.Mul64(src.uint64(), n)
	for unfair := -n % n; low < unfair; {
		high, low = bits.Mul64(src.uint64(), n)
	}
	return lo + time.Duration(high)
}
