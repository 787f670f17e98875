package conformance

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
)

// Excess is what a limiter let through under contention.
type Excess struct {
	Admitted int64
	Asked    int64
	Elapsed  time.Duration
	Bound    float64 // capacity + rate × elapsed, which no window may exceed
}

// Factor is above 1 if the limiter broke its bound.
func (e Excess) Factor() float64 { return float64(e.Admitted) / e.Bound }

// Contention has 2,000 goroutines ask one key of 100,000/s with a burst of 1,000 for d. Each asks a hundred times and then lets
// another run, as a server's goroutines do, so that at any time many are in the middle of a call. The elapsed time begins
// before the first call and ends after the last has returned, so that a sound limiter cannot exceed the bound.
func Contention(c contender.Contender, d time.Duration) (Excess, error) {
	const goroutines, inARow = 2000, 100
	s := settings()
	s.Capacity, s.Interval = 1000, 10*time.Microsecond
	g, err := c.New(s)
	if err != nil {
		return Excess{}, err
	}
	key := s.Keys.At(0)
	var admitted, asked atomic.Int64
	var stop atomic.Bool
	var callers sync.WaitGroup
	begin := time.Now()
	time.AfterFunc(d, func() { stop.Store(true) })
	for range goroutines {
		callers.Go(func() {
			var yes, all int64
			for !stop.Load() {
				for n := 0; n < inARow && !stop.Load(); n++ {
					if all++; g.Allow(key) {
						yes++
					}
				}
				runtime.Gosched()
			}
			admitted.Add(yes)
			asked.Add(all)
		})
	}
	callers.Wait()
	e := Excess{Admitted: admitted.Load(), Asked: asked.Load(), Elapsed: time.Since(begin)}
	e.Bound = float64(s.Capacity) + float64(e.Elapsed)/float64(s.Interval)
	return e, g.Close()
}
