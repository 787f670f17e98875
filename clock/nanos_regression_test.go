package clock_test

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
)

// wall is a clock without Nanos that shows the time it is set to.
type wall struct {
	clock.Clock
	at atomic.Pointer[time.Time]
}

func newWall(at time.Time) *wall {
	w := &wall{}
	w.set(at)
	return w
}

func (w *wall) Now() time.Time { return *w.at.Load() }

func (w *wall) set(at time.Time) { w.at.Store(&at) }

// year is the beginning of a year.
func year(n int) time.Time { return time.Date(n, 1, 1, 0, 0, 0, 0, time.UTC) }

// goesOn requires that read follows w while w goes on from at in small steps, and returns the last reading.
// At the one instant where w was before it was set back, a step is lost.
func goesOn(t *testing.T, read func() int64, w *wall, at time.Time) int64 {
	t.Helper()
	w.set(at)
	last := read()
	for i := 1; i <= 100; i++ {
		w.set(at.Add(time.Duration(i) * time.Second))
		now := read()
		require.Equal(t, int64(time.Second), now-last, "second %d after %v", i, at)
		last = now
	}
	return last
}

// TestNanosGoesOnAfterEveryJump: a jump used to end all time, forwards because the difference of two instants
// saturates, and back because the reading was held until the clock had caught up.
func TestNanosGoesOnAfterEveryJump(t *testing.T) {
	for name, years := range map[string][]int{
		"from year 1":        {1, 2026},
		"far forward":        {2026, 9999},
		"far back":           {2026, 1},
		"there and back":     {2026, 9999, 2026},
		"back and there":     {2026, 1, 2026},
		"to and fro":         {2026, 9999, 2026, 1, 2026, 1, 9999, 2026},
		"into ever later":    {1, 300, 2026, 3000, 9999, 20_000, 1_000_000},
		"into ever earlier":  {1_000_000, 9999, 2026, 1, -1_000_000},
		"less than a life":   {1970, 2026, 1970, 2026},
		"over the range":     {1970, 2200, 2500},
		"from before year 1": {-5000, 2026},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWall(year(years[0]))
			read := clock.Nanos(w)
			last := goesOn(t, read, w, year(years[0]))
			for i, y := range years[1:] {
				now := goesOn(t, read, w, year(y).Add(time.Duration(i+1)*time.Hour))
				require.Greater(t, now, last)
				last = now
			}
			require.Less(t, last, int64(1<<62))
		})
	}
}

// TestNanosCountsAJump in full up to 2^61 ns, and else as an eighth of the range that is left.
func TestNanosCountsAJump(t *testing.T) {
	const most = 1<<62 - 2
	w := newWall(year(1))
	read := clock.Nanos(w)
	w.set(year(1).Add(1 << 61))
	require.EqualValues(t, int64(1<<61), read())
	w.set(year(2026))
	want := int64(1<<61 + (most-1<<61)/8)
	require.Equal(t, want, read())
	w.set(year(2026).Add(time.Hour))
	require.Equal(t, want+int64(time.Hour), read())
	w.set(year(2025))
	require.Equal(t, want+int64(time.Hour), read())
	w.set(year(2025).Add(25 * time.Hour))
	require.Equal(t, want+int64(25*time.Hour), read())
}

// TestNanosDoesNotCountAnExcursionTwice: a clock that now and then shows another year, and then the right one again,
// must not use up the range.
func TestNanosDoesNotCountAnExcursionTwice(t *testing.T) {
	for name, odd := range map[string]int{"later": 9999, "earlier": 1, "unset": 1970} {
		t.Run(name, func(t *testing.T) {
			at := year(2026)
			w := newWall(at)
			read := clock.Nanos(w)
			w.set(year(odd))
			begin := read()
			for range 10_000 {
				at = at.Add(time.Second)
				w.set(at)
				read()
				w.set(year(odd))
				read()
			}
			w.set(at)
			require.LessOrEqual(t, read()-begin, int64(3*time.Hour))
			goesOn(t, read, w, at)
		})
	}
}

// TestNanosOutlivesANoisyClock that shows random years between the right ones.
func TestNanosOutlivesANoisyClock(t *testing.T) {
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 0))
		at := year(2026)
		w := newWall(at)
		read := clock.Nanos(w)
		last := read()
		for range 5000 {
			w.set(time.Unix(random.Int64N(1<<45)-1<<44, 0))
			now := read()
			require.GreaterOrEqual(t, now, last)
			at = at.Add(time.Duration(random.Int64N(int64(time.Minute))))
			w.set(at)
			last = read()
			require.GreaterOrEqual(t, last, now)
		}
		goesOn(t, read, w, at)
	}
}

// erratic has the method Nanos, and breaks the promise of it.
type erratic struct {
	clock.Clock
	at atomic.Int64
}

func (e *erratic) Nanos() int64 { return e.at.Load() }

func TestNanosOutlivesAMethodThatJumps(t *testing.T) {
	e := &erratic{}
	read := clock.Nanos(e)
	last := read()
	for _, at := range []int64{5, math.MaxInt64, 10, math.MinInt64, 20, math.MaxInt64 - 100, -3, 1e18} {
		e.at.Store(at)
		now := read()
		require.GreaterOrEqual(t, now, last, "at %d", at)
		require.Less(t, now, int64(1<<62))
		if at > math.MaxInt64-1e12 {
			continue
		}
		for i := range int64(10) {
			e.at.Store(at + i*1e9)
			require.Equal(t, now+i*1e9, read(), "at %d", at)
		}
		last = read()
	}
}

// lying is a clock that jumps at every reading, by years.
type lying struct {
	clock.Clock
	reads atomic.Int64
}

func (l *lying) Now() time.Time { return year(int(l.reads.Add(1) * 7919 % 5000)) }

// TestNanosNeverRunsBackWhateverTheClockDoes, for readers at the same time.
func TestNanosNeverRunsBackWhateverTheClockDoes(t *testing.T) {
	for _, readers := range []int{1, 8} {
		read := clock.Nanos(&lying{})
		require.False(t, runsBack(read, readers))
		require.Less(t, read(), int64(1<<62))
	}
}

// TestNanosOfAClockThatPanics leaves nothing behind but the panic.
func TestNanosOfAClockThatPanics(t *testing.T) {
	w := newWall(year(2026))
	broken := &breaking{wall: w}
	read := clock.Nanos(broken)
	for i := range 3 {
		broken.broken.Store(true)
		require.PanicsWithValue(t, "clock", func() { read() })
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				defer func() { _ = recover() }()
				read()
			})
		}
		wait.Wait()
		broken.broken.Store(false)
		goesOn(t, read, w, year(2026).Add(time.Duration(i)*time.Hour))
	}
}

type breaking struct {
	*wall
	broken atomic.Bool
}

func (b *breaking) Now() time.Time {
	if b.broken.Load() {
		panic("clock")
	}
	return b.wall.Now()
}
