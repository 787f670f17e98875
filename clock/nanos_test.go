package clock_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
)

// stepping is a clock whose every reading is a second later than the last one,
// but for a step of an hour back or forth at each seventh.
type stepping struct {
	clock.Clock
	reads atomic.Int64
}

func (s *stepping) Now() time.Time {
	n := s.reads.Add(1)
	at := time.Unix(n, 0)
	switch {
	case n%14 == 0:
		return at.Add(time.Hour)
	case n%7 == 0:
		return at.Add(-time.Hour)
	}
	return at
}

// runsBack reports whether one of readers goroutines, each reading a thousand
// times, saw less than what some goroutine had seen before its reading began.
func runsBack(read func() int64, readers int) bool {
	var seen atomic.Int64
	var back atomic.Bool
	var wait sync.WaitGroup
	for range readers {
		wait.Go(func() {
			for range 1000 {
				before := seen.Load()
				now := read()
				if now < before {
					back.Store(true)
				}
				for before < now && !seen.CompareAndSwap(before, now) {
					before = seen.Load()
				}
			}
		})
	}
	wait.Wait()
	return back.Load()
}

func TestNanosNeverRunsBack(t *testing.T) {
	for _, readers := range []int{1, 8} {
		require.False(t, runsBack(clock.Nanos(&stepping{}), readers))
		require.False(t, runsBack(clock.Nanos(clock.System()), readers))
	}
}

// The checker is checked: a reading without the clamp is found out.
func TestNanosCheckerFindsAClockThatRunsBack(t *testing.T) {
	s := &stepping{}
	require.True(t, runsBack(func() int64 { return s.Now().UnixNano() }, 1))
}

func TestNanosStartsAtZero(t *testing.T) {
	for _, kind := range benches {
		t.Run(kind.name, func(t *testing.T) {
			kind.run(t, func(t *testing.T, b bench) {
				b.advance(time.Hour)
				read := clock.Nanos(b.Clock)
				require.Zero(t, read())
				b.advance(time.Minute)
				require.Equal(t, int64(time.Minute), read())
			})
		})
	}
}

func TestNanosOfAClockThatRunsBackHolds(t *testing.T) {
	s := &script{seconds: []int64{100, 103, 40, 103, 104, 0}}
	read := clock.Nanos(s)
	var got []int64
	for range 5 {
		got = append(got, read()/int64(time.Second))
	}
	require.Equal(t, []int64{3, 3, 3, 4, 4}, got)
}

// script is a clock that reads what it is told.
type script struct {
	clock.Clock
	seconds []int64
}

func (s *script) Now() time.Time {
	at := s.seconds[0]
	s.seconds = s.seconds[1:]
	return time.Unix(at, 0)
}

func TestSystemNanosHasItsOwnBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type nanos interface{ Nanos() int64 }
		first := clock.System()
		time.Sleep(time.Second)
		second := clock.System()
		time.Sleep(time.Second)
		require.EqualValues(t, 2*time.Second, first.(nanos).Nanos())
		require.EqualValues(t, time.Second, second.(nanos).Nanos())
	})
}
