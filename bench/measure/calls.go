package measure

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/record"
	"github.com/limitpal/limitpal-go/bench/workload"
)

// Conditions are under how many goroutines per core, on how many cores, and for how long calls are measured.
type Conditions struct {
	PerCore []int
	Cores   []int
	Durations
}

// batch is how many calls a goroutine makes before it lets another run, as a server's do when they wait for a connection. A
// workload that is Unbroken leaves that to the scheduler, which interrupts a goroutine after ten milliseconds, wherever it is: it is
// measured for that much longer.
const (
	batch        = 100
	unbrokenTime = 3 // times as long
)

// Calls measures the time between calls of workload w, made as fast as can be, for populations that have the same keys. rounds is
// Trial.Rounds.
func Calls(w workload.Workload, c contender.Contender, populations []workload.Population, cond Conditions, rounds int) *Trial {
	size := populations[0].Size
	t := &Trial{
		Group:     fmt.Sprintf("%s, %s", w.Name, named(populations)),
		Contender: c.Name,
		Rounds:    rounds,
		Guess: time.Duration(len(populations)*len(cond.PerCore)*len(cond.Cores))*3*cond.Calls/2 +
			time.Duration(size)*2*time.Microsecond,
		Alone: size >= manyKeys,
	}
	t.Sample = func(emit func(record.Sample) error) error {
		keys := workload.KeysOf(size)
		g, err := prepare(func() (contender.Guard, error) { return w.Start(c, keys) })
		if err != nil {
			return err
		}
		runtime.GC()
		for _, p := range populations {
			if err := callsOf(w, g, keys, p, c.Name, cond, emit); err != nil {
				return t.finish(g, err)
			}
		}
		return t.finish(g, nil)
	}
	return t
}

func callsOf(w workload.Workload, g contender.Guard, keys contender.Keys, p workload.Population, name string, cond Conditions, emit func(record.Sample) error) error {
	walk := p.Walks(keys)
	for _, cores := range cond.Cores {
		for _, perCore := range cond.PerCore {
			runtime.GOMAXPROCS(cores)
			l := loop{guard: g, call: w.Call, walk: walk, goroutines: cores * perCore, unbroken: w.Unbroken}
			d := cond.Calls
			if w.Unbroken {
				d *= unbrokenTime
			}
			if perCore > 100 || keys.Len() >= manyKeys {
				d *= 2 // so that they all take part
			}
			l.run(cond.Warm)
			m := l.run(d)
			if m.wrong > 0 {
				return fmt.Errorf("%d of %d calls ended as they must not", m.wrong, m.calls)
			}
			row := record.Row{Study: "Calls", Workload: w.Name, Keys: p.Name, PerCore: perCore, Contender: name, Cores: cores}
			if err := emit(m.sample(row)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Churn measures calls of the pipeline that each are the first of a new key.
func Churn(c contender.Contender, cond Conditions) *Trial {
	return &Trial{
		Group:     "churn: a new key every call",
		Contender: c.Name,
		Guess:     time.Duration(len(cond.PerCore)*len(cond.Cores)) * 2 * cond.Calls,
		Sample: func(emit func(record.Sample) error) error {
			for _, cores := range cond.Cores {
				for _, perCore := range cond.PerCore {
					m, err := churn(c, cores, perCore, cond)
					if err != nil {
						return err
					}
					row := record.Row{Study: "Calls", Workload: "churn", Keys: "new", PerCore: perCore, Contender: c.Name, Cores: cores}
					if err := emit(m.sample(row)); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
}

func churn(c contender.Contender, cores, perCore int, cond Conditions) (measured, error) {
	w, _ := workload.Named("pipeline")
	g, err := c.New(w.Settings)
	if err != nil {
		return measured{}, err
	}
	settle(cores)
	keys := workload.KeysOf(1 << 20)
	fresh := workload.NewFresh(keys)
	l := loop{guard: g, call: w.Call, walk: func(int) workload.Walk { return fresh.Walk() }, goroutines: cores * perCore}
	l.run(cond.Warm)
	m := l.run(2 * cond.Calls) // it allocates, so that the collector works meanwhile
	if err := g.Close(); err != nil {
		return m, err
	}
	if c.Kind != contender.Baseline && fresh.HandedOut() > keys.Len() {
		return m, fmt.Errorf("all %d keys were used up", keys.Len())
	}
	if m.wrong > 0 {
		return m, fmt.Errorf("%d of %d calls ended as they must not", m.wrong, m.calls)
	}
	return m, nil
}

// loop has goroutines make calls as fast as they can.
type loop struct {
	guard      contender.Guard
	call       func(contender.Guard, contender.Key) bool
	walk       func(i int) workload.Walk
	goroutines int
	unbroken   bool
}

// measured is what a loop came to.
type measured struct {
	calls, wrong   int64
	elapsed        time.Duration
	bytes, mallocs uint64
}

func (m measured) sample(row record.Row) record.Sample {
	per := func(x float64) float64 { return math.Round(100*x/float64(m.calls)) / 100 }
	return record.Sample{Row: row, N: int(m.calls), Values: []record.Value{
		{Amount: per(float64(m.elapsed)), Unit: record.PerCall},
		{Amount: per(float64(m.bytes)), Unit: record.Bytes},
		{Amount: per(float64(m.mallocs)), Unit: record.Allocs},
	}}
}

// run makes calls for about d. A goroutine that gets to run for the first time when that is over makes none.
func (l loop) run(d time.Duration) measured {
	var m measured
	var calls, wrong atomic.Int64
	var ready, done sync.WaitGroup
	var begin time.Time
	start := make(chan struct{})
	for i := range l.goroutines {
		walk := l.walk(i)
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			n, bad := l.calls(walk, begin.Add(d))
			calls.Add(n)
			wrong.Add(bad)
		})
	}
	ready.Wait()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin = time.Now()
	close(start)
	done.Wait()
	m.elapsed = time.Since(begin)
	runtime.ReadMemStats(&after)
	m.calls, m.wrong = calls.Load(), wrong.Load()
	m.bytes, m.mallocs = after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs
	return m
}

// calls is one goroutine's part.
func (l loop) calls(walk workload.Walk, until time.Time) (n, wrong int64) {
	for time.Now().Before(until) {
		for range batch {
			if !l.call(l.guard, walk.Next()) {
				wrong++
			}
		}
		n += batch
		if !l.unbroken {
			runtime.Gosched()
		}
	}
	return n, wrong
}

// named names populations.
func named(populations []workload.Population) string {
	var names []string
	for _, p := range populations {
		names = append(names, p.Name)
	}
	return "keys=" + strings.Join(names, ",")
}

// keysNamed is a number of keys as in the names of populations.
func keysNamed(n int) string {
	if n >= 1_000_000 {
		return fmt.Sprintf("%dM", n/1_000_000)
	}
	return fmt.Sprintf("%dk", n/1000)
}
