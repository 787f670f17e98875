package measure_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/measure"
	"github.com/limitpal/limitpal-go/bench/record"
	"github.com/limitpal/limitpal-go/bench/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var brief = measure.Durations{
	Calls: time.Millisecond, Warm: 100 * time.Microsecond, Latency: 20 * time.Millisecond, Load: 20 * time.Millisecond,
}

// planted is a guard made of functions, to see whether the measurements see what is wrong with it.
type planted struct {
	run  func(key contender.Key, fn func(context.Context) error) error
	wait func(context.Context) error
}

func (planted) Allow(contender.Key) bool { return true }

func (p planted) Run(ctx context.Context, key contender.Key, fn func(context.Context) error) error {
	if p.run == nil {
		return fn(ctx)
	}
	return p.run(key, fn)
}

func (p planted) Wait(ctx context.Context, _ contender.Key) error { return p.wait(ctx) }
func (planted) Close() error                                      { return nil }

func (p planted) contender() contender.Contender {
	return contender.Contender{
		Name: "planted", Does: contender.Pipeline | contender.Waits,
		New: func(contender.Settings) (contender.Guard, error) { return p, nil },
	}
}

// take is the one sample of a trial.
func take(t *testing.T, trial *measure.Trial) map[record.Unit]float64 {
	t.Helper()
	amounts := map[record.Unit]float64{}
	require.NoError(t, trial.Sample(func(s record.Sample) error {
		for _, v := range s.Values {
			amounts[v.Unit] = v.Amount
		}
		return nil
	}))
	return amounts
}

// eventually takes samples of a trial until one is as it must be, since a machine that is busy elsewhere spoils some. A trial that
// measures wrongly spoils all twenty.
func eventually(t *testing.T, trial func() *measure.Trial, right func(map[record.Unit]float64) bool) {
	t.Helper()
	var all []map[record.Unit]float64
	for range 20 {
		got := take(t, trial())
		if right(got) {
			return
		}
		all = append(all, got)
	}
	require.Fail(t, "no sample is as it must be", "%v", all)
}

func near(want, got, by float64) bool { return math.Abs(want-got) <= by }

func pipeline(t *testing.T) (workload.Workload, []workload.Population) {
	t.Helper()
	w, ok := workload.Named("pipeline")
	require.True(t, ok)
	p, ok := workload.PopulationNamed("1k")
	require.True(t, ok)
	return w, []workload.Population{p}
}

func TestCallsCountsWhatACallTakes(t *testing.T) {
	w, populations := pipeline(t)
	var calls atomic.Int64
	var kept [][]byte
	var mu sync.Mutex
	guard := planted{run: func(_ contender.Key, fn func(context.Context) error) error {
		calls.Add(1)
		b := make([]byte, 1000)
		mu.Lock()
		kept = append(kept[:0], b)
		mu.Unlock()
		return fn(context.Background())
	}}
	cond := measure.Conditions{PerCore: []int{2}, Cores: []int{1}, Durations: brief}
	eventually(t, func() *measure.Trial { return measure.Calls(w, guard.contender(), populations, cond, 0) },
		func(got map[record.Unit]float64) bool {
			return got[record.PerCall] > 50 && near(1, got[record.Allocs], 0.2) && near(1024, got[record.Bytes], 100)
		})
	require.Positive(t, calls.Load())
}

func TestCallsRefusesWrongAnswers(t *testing.T) {
	w, populations := pipeline(t)
	var calls atomic.Int64
	guard := planted{run: func(contender.Key, func(context.Context) error) error {
		if calls.Add(1) > 1500 { // past the preparation
			return contender.ErrLimited
		}
		return nil
	}}
	cond := measure.Conditions{PerCore: []int{1}, Cores: []int{1}, Durations: brief}
	err := measure.Calls(w, guard.contender(), populations, cond, 0).Sample(func(record.Sample) error { return nil })
	require.ErrorContains(t, err, "ended as they must not")
}

func TestEveryKeyOfChurnIsNew(t *testing.T) {
	var mu sync.Mutex
	seen := map[int]bool{}
	again := false
	guard := planted{run: func(key contender.Key, _ func(context.Context) error) error {
		mu.Lock()
		defer mu.Unlock()
		again = again || seen[key.Slot]
		seen[key.Slot] = true
		return nil
	}}
	cond := measure.Conditions{PerCore: []int{4}, Cores: []int{2}, Durations: brief}
	got := take(t, measure.Churn(guard.contender(), cond))
	require.Positive(t, got[record.PerCall])
	require.False(t, again, "a key came twice")
}

// TestLatencyCountsFromWhenACallWasDue plants a pause of half the measurement: nearly half of the calls were due in it, not
// only the one that it hit.
func TestLatencyCountsFromWhenACallWasDue(t *testing.T) {
	pause := sync.OnceFunc(func() { time.Sleep(brief.Latency / 2) })
	var prepared atomic.Int64
	var pausing sync.RWMutex
	guard := planted{run: func(contender.Key, func(context.Context) error) error {
		if prepared.Add(1) == 1200 {
			pausing.Lock()
			pause()
			pausing.Unlock()
		}
		pausing.RLock()
		defer pausing.RUnlock()
		return nil
	}}
	histograms := &measure.Histograms{}
	got := take(t, measure.Latency(guard.contender(), false, 2, brief, histograms))
	require.GreaterOrEqual(t, got[record.P90], float64(brief.Latency/8))
	require.GreaterOrEqual(t, got[record.Max], float64(brief.Latency/2))

	var log bytes.Buffer
	require.NoError(t, histograms.Write(&log, time.Now(), time.Now()))
	require.Contains(t, log.String(), "Tag=Latency/workload=steady/keys=1k/contender=planted-2")
}

func TestLatencyLeavesTheSlowKeyOut(t *testing.T) {
	var calls, slow atomic.Int64
	guard := planted{run: func(key contender.Key, fn func(context.Context) error) error {
		calls.Add(1)
		if key.Slot == 0 {
			slow.Add(1)
		}
		return fn(t.Context())
	}}
	var counted int
	require.NoError(t, measure.Latency(guard.contender(), true, 2, brief, &measure.Histograms{}).Sample(func(s record.Sample) error {
		counted = s.N
		return nil
	}))
	prepared, preparedSlow := int64(1000), int64(1)
	require.Positive(t, slow.Load()-preparedSlow)
	require.EqualValues(t, calls.Load()-prepared-(slow.Load()-preparedSlow), counted)
}

// TestWaitingSeesWhoIsServedOutOfTurn compares first come, first served with last come, first served.
func TestWaitingSeesWhoIsServedOutOfTurn(t *testing.T) {
	q := measure.Queue{Name: "planted", Callers: 1000, Rate: 1_000_000, Capacity: 1}
	serve := func(backwards bool) *measure.Trial {
		var mu sync.Mutex
		var queue []chan struct{}
		return measure.Waiting(planted{wait: func(context.Context) error {
			turn := make(chan struct{})
			mu.Lock()
			queue = append(queue, turn)
			if len(queue) == q.Callers {
				if backwards {
					slices.Reverse(queue)
				}
				go func() {
					for _, turn := range queue {
						turn <- struct{}{}
						<-turn
					}
				}()
			}
			mu.Unlock()
			<-turn
			defer func() { turn <- struct{}{} }()
			return nil
		}}.contender(), q, 2)
	}
	eventually(t, func() *measure.Trial { return serve(false) }, func(got map[record.Unit]float64) bool { return got[record.Misplaced] < 100 })
	eventually(t, func() *measure.Trial { return serve(true) }, func(got map[record.Unit]float64) bool { return got[record.Misplaced] > 300 })
}

func TestWaitingNeedsEverybodyServed(t *testing.T) {
	q := measure.Queue{Name: "planted", Callers: 10, Rate: 1_000_000, Capacity: 1}
	trial := measure.Waiting(planted{wait: func(context.Context) error { return contender.ErrLimited }}.contender(), q, 2)
	require.ErrorContains(t, trial.Sample(func(record.Sample) error { return nil }), "10 of 10 callers were not served")
}

func TestOverloadCountsOnlyWhatCameInTime(t *testing.T) {
	late := take(t, measure.Overload(planted{wait: func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	}}.contender(), 2, brief))
	require.Zero(t, late[record.Goodput])
	require.NotContains(t, late, record.RefusedP50)

	refused := take(t, measure.Overload(planted{wait: func(ctx context.Context) error { return context.Canceled }}.contender(), 2, brief))
	require.Zero(t, refused[record.Goodput])
	require.Contains(t, refused, record.RefusedP99)

	served := planted{wait: func(ctx context.Context) error { return nil }}.contender()
	eventually(t, func() *measure.Trial { return measure.Overload(served, 2, brief) },
		func(got map[record.Unit]float64) bool { return got[record.Goodput] > 0.5 })
}

func TestMemoryWeighsKeys(t *testing.T) {
	kept := map[string]*[512]byte{}
	guard := planted{run: func(key contender.Key, _ func(context.Context) error) error {
		kept[key.Name] = new([512]byte)
		return nil
	}}
	got := take(t, measure.Memory(guard.contender(), 20_000, 2, 0, 1))
	require.InDelta(t, 600, got[record.BytesPerKey], 80) // and the map
	require.Zero(t, got[record.Goroutines])
	require.Positive(t, got[record.Collection])
	require.Len(t, kept, 20_000)
}

func TestExcessOfAGuardThatAdmitsAll(t *testing.T) {
	eventually(t, func() *measure.Trial { return measure.Excess(planted{}.contender(), 2, 0, brief) },
		func(got map[record.Unit]float64) bool { return got[record.OfBound] > 10 })
}

// told is a Progress that remembers.
type told struct {
	order []string
	left  []time.Duration
}

func (p *told) Begin(round, _ int, t *measure.Trial, left time.Duration) {
	p.order = append(p.order, string(rune('0'+round))+t.Group+t.Contender)
	p.left = append(p.left, left)
}

func TestRunInterleaves(t *testing.T) {
	synctest.Test(t, runInterleaves) // where a trial that does nothing takes no time
}

func runInterleaves(t *testing.T) {
	var trials []*measure.Trial
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		trials = append(trials, &measure.Trial{Group: "x", Contender: name, Guess: time.Hour, Sample: func(func(record.Sample) error) error { return nil }})
	}
	trials = append(trials, &measure.Trial{Group: "y", Contender: "alone", Rounds: 1, Alone: true})
	var elsewhere int
	p := &told{}
	err := measure.Run(t.Context(), trials, 2, p, func(*measure.Trial) error { elsewhere++; return nil }, nil)
	require.NoError(t, err)
	require.Len(t, p.order, 13)
	require.Equal(t, "1yalone", p.order[6])
	require.Equal(t, 1, elsewhere)
	require.Equal(t, 12*time.Hour, p.left[0])
	require.Zero(t, p.left[7], "the time that trials take is known after the first round")
	first, second := p.order[:6], p.order[7:]
	for i := range second {
		require.Equal(t, byte('2'), second[i][0])
	}
	require.NotEqual(t, strip(first), strip(second), "the order is drawn anew")
	require.ElementsMatch(t, strip(first), strip(second))
}

func strip(order []string) []string {
	var names []string
	for _, o := range order {
		names = append(names, o[1:])
	}
	return names
}

func TestRunStops(t *testing.T) {
	broken := errors.New("broken")
	trial := &measure.Trial{Group: "g", Contender: "c", Sample: func(func(record.Sample) error) error { return broken }}
	err := measure.Run(t.Context(), []*measure.Trial{trial}, 1, &told{}, nil, nil)
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "g, c")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, measure.Run(ctx, []*measure.Trial{trial}, 1, &told{}, nil, nil), context.Canceled)
}
