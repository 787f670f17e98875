package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/record"
	"github.com/limitpal/limitpal-go/bench/workload"
)

// Queue is how callers queue for the tokens of one key, all at once.
type Queue struct {
	Name     string
	Callers  int
	Rate     int // tokens per second
	Capacity int // tokens that the bucket saves, so that what a late timer has cost can be made up for
}

// patience is how long a caller waits.
const patience = 10 * time.Second

// oneKey is one key whose limiter gives rate tokens per second.
func oneKey(rate, capacity int) contender.Settings {
	return contender.Settings{
		Keys: workload.KeysOf(1), Capacity: capacity, Interval: time.Second / time.Duration(rate),
		FailureThreshold: 5, RecoveryTimeout: time.Hour, Attempts: 1, BaseDelay: time.Millisecond, Queue: true,
	}
}

// Waiting measures when and in which order callers are served that queue for one key.
func Waiting(c contender.Contender, q Queue, cores int) *Trial {
	return &Trial{
		Group:     "waiting: " + q.Name,
		Contender: c.Name,
		Guess:     time.Duration(q.Callers)*time.Second/time.Duration(q.Rate) + 50*time.Millisecond,
		Sample: func(emit func(record.Sample) error) error {
			s := oneKey(q.Rate, q.Capacity)
			g, err := c.New(s)
			if err != nil {
				return err
			}
			settle(cores)
			served, failed := q.serve(g, s.Keys.At(0))
			if err := g.Close(); err != nil {
				return err
			}
			if failed > 0 {
				return fmt.Errorf("%d of %d callers were not served", failed, q.Callers)
			}
			return emit(q.summary(served, record.Row{
				Study: "Waiting", Workload: q.Name, Keys: "1", Contender: c.Name, Cores: cores,
			}))
		},
	}
}

// turn is when a caller was served, and the how manieth it was to come.
type turn struct {
	at    time.Duration
	place int64
}

// serve has all callers come at once.
func (q Queue) serve(g contender.Guard, key contender.Key) (served []turn, failed int64) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	served = make([]turn, q.Callers)
	var came, left, lost atomic.Int64
	var callers sync.WaitGroup
	begin := time.Now()
	for range q.Callers {
		callers.Go(func() {
			place := came.Add(1) - 1
			if err := g.Wait(ctx, key); err != nil {
				lost.Add(1)
				return
			}
			at := time.Since(begin)
			served[left.Add(1)-1] = turn{at, place}
		})
	}
	callers.Wait()
	return served, lost.Load()
}

// summary compares with a queue that serves the first at once, as many as the bucket holds, and then one every interval, in the
// order in which they came. A caller that is served early counts as in time; too many of them show in the rate.
func (q Queue) summary(served []turn, row record.Row) record.Sample {
	slices.SortFunc(served, func(a, b turn) int { return int(a.at - b.at) })
	interval := time.Second / time.Duration(q.Rate)
	late := make([]time.Duration, len(served))
	var off float64
	for i, t := range served {
		due := time.Duration(max(0, i+1-q.Capacity)) * interval
		late[i] = max(0, t.at-served[0].at-due)
		off += float64(max(t.place-int64(i), int64(i)-t.place))
	}
	n := len(served)
	ideal := time.Duration(n-q.Capacity) * interval
	elapsed := served[n-1].at - served[0].at
	slices.Sort(late)
	at := func(p int) float64 { return float64(late[(n-1)*p/100]) }
	return record.Sample{Row: row, N: n, Values: []record.Value{
		{Amount: float64(ideal) / float64(elapsed), Unit: record.OfRate},
		{Amount: at(50), Unit: record.LateP50}, {Amount: at(99), Unit: record.LateP99},
		{Amount: off / float64(n), Unit: record.Misplaced},
	}}
}

// The load of Overload.
const (
	overloadRate = 20_000                // tokens per second
	overloadHeld = 50                    // in the bucket
	deadline     = 20 * time.Millisecond // of every caller, from its intended start
)

// Overload has callers come at twice the rate of the limiter, each with a deadline, and measures how much of what the limiter
// had to give reached a caller in time, and how long it takes to say no.
func Overload(c contender.Contender, cores int, d Durations) *Trial {
	return &Trial{
		Group:     "overload: callers with deadlines, at twice the rate",
		Contender: c.Name,
		Guess:     d.Load + deadline + 20*time.Millisecond,
		Sample: func(emit func(record.Sample) error) error {
			s := oneKey(overloadRate, overloadHeld)
			g, err := c.New(s)
			if err != nil {
				return err
			}
			settle(cores)
			o := overload(g, s.Keys.At(0), d.Load)
			if err := g.Close(); err != nil {
				return err
			}
			slices.Sort(o.refused)
			at := func(p int) float64 {
				if len(o.refused) == 0 {
					return 0
				}
				return float64(o.refused[(len(o.refused)-1)*p/100])
			}
			row := record.Row{Study: "Overload", Workload: "twice-the-rate", Keys: "1", Contender: c.Name, Cores: cores}
			offered := overloadHeld + overloadRate*(d.Load+deadline).Seconds()
			values := []record.Value{{Amount: float64(o.inTime) / offered, Unit: record.Goodput}}
			if len(o.refused) > 0 {
				values = append(values, record.Value{Amount: at(50), Unit: record.RefusedP50}, record.Value{Amount: at(99), Unit: record.RefusedP99})
			}
			return emit(record.Sample{Row: row, N: o.callers, Values: values})
		},
	}
}

type overloaded struct {
	callers int
	inTime  int64
	refused []time.Duration // how long those waited for the answer that got no token
}

func overload(g contender.Guard, key contender.Key, d time.Duration) overloaded {
	const interval = time.Second / (2 * overloadRate)
	var o overloaded
	var mu sync.Mutex
	var inTime atomic.Int64
	var callers sync.WaitGroup
	begin := time.Now()
	for due := time.Duration(0); due < d; due += interval {
		await(begin, due)
		o.callers++
		callers.Go(func() {
			ctx, cancel := context.WithDeadline(context.Background(), begin.Add(due+deadline))
			defer cancel()
			err := g.Wait(ctx, key)
			took := time.Since(begin) - due
			switch {
			case errors.Is(err, contender.ErrCannot):
			case err != nil:
				mu.Lock()
				o.refused = append(o.refused, took)
				mu.Unlock()
			case took <= deadline:
				inTime.Add(1)
			}
		})
	}
	callers.Wait()
	o.inTime = inTime.Load()
	return o
}
