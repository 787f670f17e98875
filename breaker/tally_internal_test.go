package breaker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestATallyIsSpreadWhereGoroutinesMeet: from so many meetings in one slice on, successes are spread over stripes. Each counts once, in its
// slice. A new slice begins the count of the meetings anew.
func TestATallyIsSpreadWhereGoroutinesMeet(t *testing.T) {
	for name, p := range map[string]Policy{
		"of time": {FailureRate: 1, Window: 10 * time.Second}, "of calls": {FailureRate: 1, WindowCalls: 100_000},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.Rules(func() uint64 { return 1 })
			tally := r.newTally(1, 0)
			calls := 0
			meet := func(n int) {
				for i := range n {
					tally.meet(r, uint64(i)) //nolint:gosec // small
				}
				calls += n
			}
			meet(meetings - 1)
			require.Nil(t, tally.spread.Load())
			tally.Open(r, r.width)
			tally.Open(r, 0) // an earlier one changes nothing
			meet(meetings - 1)
			require.Nil(t, tally.spread.Load(), "they met in two slices")
			meet(2)
			require.NotNil(t, tally.spread.Load())
			meet(100)
			for i := range uint64(50) {
				tally.Succeed(r, 1, i)
				tally.Succeed(r, 2, i) // of another period
			}
			require.Equal(t, calls+50, tally.calls(r, r.width, 0))
			slice, _ := tally.Newest(r)
			require.EqualValues(t, 1, slice)
		})
	}
}

// TestOpenSlicesAtOnce: a goroutine that was held up begins no slice that is over.
func TestOpenSlicesAtOnce(t *testing.T) {
	r := (Policy{FailureRate: 1}).Rules(func() uint64 { return 1 })
	tally := r.newTally(1, 0)
	tally.open(0, 5)
	tally.open(0, 3) // has seen slice 0, too
	require.EqualValues(t, 5, tally.newest.Load())
	tally.open(0, 7)
	require.EqualValues(t, 7, tally.newest.Load())
}

// TestASuccessThatWasHeldUpEmptiesNoNewerSlice: a goroutine knows the newest slice, and is held up until the count of
// that slice belongs to a newer one.
func TestASuccessThatWasHeldUpEmptiesNoNewerSlice(t *testing.T) {
	r := (Policy{FailureRate: 1, Window: 10}).Rules(func() uint64 { return 1 })
	const later = 1 << slotBits
	tally := r.newTally(1, 0)
	tally.Open(r, later)
	tally.Succeed(r, 1, 0)
	require.False(t, tally.succeed(r, &tally.counts, 0))
	require.Equal(t, 1, tally.calls(r, later, 0))
	tally.meet(r, 0) // what comes next
	require.Equal(t, 2, tally.calls(r, later, 0))
}
