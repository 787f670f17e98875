package measure

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/limitpal/limitpal-go/bench/conformance"
	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/record"
	"github.com/limitpal/limitpal-go/bench/workload"
)

// Memory measures what n keys weigh that were called once: bytes, goroutines, and the time of a garbage collection, which it
// forces so many times for as many samples.
func Memory(c contender.Contender, n, cores, rounds, collections int) *Trial {
	row := record.Row{Study: "Memory", Keys: keysNamed(n), Contender: c.Name, Cores: cores}
	return &Trial{
		Group:     "memory, " + keysNamed(n) + " keys",
		Contender: c.Name,
		Rounds:    rounds,
		Alone:     true, // so that the guard need not be taken down again
		Guess:     time.Duration(n) * 5 * time.Microsecond,
		Sample: func(emit func(record.Sample) error) error {
			settle(cores)
			runtime.GC() // what was swept by the first is given back by the second
			before, goroutines := inUse(), runtime.NumGoroutine()
			g, err := prepare(func() (contender.Guard, error) { return populated(c, n) })
			if err != nil {
				return err
			}
			settle(cores)
			runtime.GC()
			bytes := max(0, float64(inUse())-float64(before)) / float64(n)
			for range collections {
				begin := time.Now()
				runtime.GC()
				took := time.Since(begin)
				err := emit(record.Sample{Row: row, N: n, Values: []record.Value{
					{Amount: bytes, Unit: record.BytesPerKey},
					{Amount: float64(runtime.NumGoroutine() - goroutines), Unit: record.Goroutines},
					{Amount: float64(took), Unit: record.Collection},
				}})
				if err != nil {
					return err
				}
			}
			runtime.KeepAlive(g)
			return nil
		},
	}
}

// populated is a guard of which n keys have been called. The names are its own: what it does not keep is garbage.
func populated(c contender.Contender, n int) (contender.Guard, error) {
	keys := contender.NewKeys(n)
	w, _ := workload.Named("pipeline")
	g, err := c.New(w.Settings) // without keys: some keep the settings
	if err != nil {
		return nil, err
	}
	for i := range n {
		key := keys.At(i)
		key.Name = strings.Clone(key.Name)
		if !w.Call(g, key) {
			return nil, errors.Join(fmt.Errorf("the first call of %s was refused", key.Name), g.Close())
		}
	}
	return g, nil
}

// inUse is the memory of heap and stacks in use.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// Excess measures what two thousand goroutines get out of a limit, as a multiple of what they may.
func Excess(c contender.Contender, cores, rounds int, d Durations) *Trial {
	return &Trial{
		Group:     "over-admission: 2,000 goroutines, one key",
		Contender: c.Name,
		Rounds:    rounds,
		Guess:     d.Load + 20*time.Millisecond,
		Sample: func(emit func(record.Sample) error) error {
			settle(cores)
			e, err := conformance.Contention(c, d.Load)
			if err != nil {
				return err
			}
			return emit(record.Sample{
				Row: record.Row{Study: "Excess", Contender: c.Name, Cores: cores},
				N:   int(e.Asked),
				Values: []record.Value{
					{Amount: e.Factor(), Unit: record.OfBound},
					{Amount: float64(e.Asked), Unit: record.AskedCalls}, {Amount: float64(e.Admitted), Unit: record.AdmittedCalls},
				},
			})
		},
	}
}
