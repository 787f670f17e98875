package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/limiter"
)

var (
	windowTraces = flag.Int("engine.windows", 2000, "how many traces TestWindowsEqualTheNaiveModel plays")
	windowFirst  = flag.Uint64("engine.windows.first", 0, "the seed of the first trace; 0 takes a new one")
)

// TestWindowsEqualTheNaiveModel plays random calls for a few keys against counts per window, on a clock that is set forwards and
// back, with keys that are evicted, spilled and born again. All of it:
//
//	go test ./engine -run WindowsEqualTheNaiveModel -engine.windows 1000000 -timeout 30m
func TestWindowsEqualTheNaiveModel(t *testing.T) {
	first := *windowFirst
	if first == 0 {
		first = rand.Uint64()
	}
	var sum windowCounts
	const together = 500
	for done := 0; done < *windowTraces; done += together {
		synctest.Test(t, func(t *testing.T) {
			for i := done; i < min(done+together, *windowTraces); i++ {
				if err := playWindows(t, rand.New(rand.NewPCG(first+uint64(i), 0)), &sum); err != nil {
					t.Fatalf("%v\nreplay: go test ./engine -run '^%s$' -engine.windows 1 -engine.windows.first %d", err, t.Name(), first+uint64(i))
				}
			}
		})
	}
	t.Attr("admitted", strconv.Itoa(sum.admitted))
	for name, n := range map[string]int{
		"admitted": sum.admitted, "refused": sum.refused, "waited": sum.waited, "charged": sum.charged, "jumps": sum.jumps, "born again": sum.again,
	} {
		require.Greater(t, n, *windowTraces/8, "too few %s for this to say much", name)
	}
}

type windowCounts struct{ admitted, refused, waited, charged, jumps, again int }

// setClock is a clock that can be set while its timers go on.
type setClock struct {
	clock.Clock
	by atomic.Int64 // ns
}

func (c *setClock) Now() time.Time { return c.Clock.Now().Add(time.Duration(c.by.Load())) }

// windowTrace is an engine and the tokens that each key has taken in each window since the epoch.
type windowTrace struct {
	rng    *rand.Rand
	clock  *setClock
	eng    *Engine
	window limiter.FixedWindow
	used   map[string]map[int64]int64
	sum    *windowCounts
}

func playWindows(t *testing.T, rng *rand.Rand, sum *windowCounts) error {
	w := &windowTrace{rng: rng, clock: &setClock{Clock: clock.System()}, used: map[string]map[int64]int64{}, sum: sum}
	w.window.Max = 1 + rng.IntN(6)
	w.window.Per = time.Duration(10 + rng.Int64N(int64(time.Minute)))
	w.window.Offset = time.Duration(rng.Int64N(int64(time.Hour)) - int64(time.Minute))
	w.clock.by.Store(rng.Int64N(int64(48 * time.Hour)))
	cfg := Config{Limiter: w.window, Clock: w.clock, MaxKeys: 3 + rng.IntN(6), IdleAfter: w.window.Per / time.Duration(1+rng.IntN(3)), Dispatch: Dispatch(rng.IntN(2))}
	var err error
	if w.eng, err = New(cfg); err != nil {
		return fmt.Errorf("%+v: %w", cfg, err)
	}
	defer func() { require.NoError(t, w.eng.Close(context.Background())) }()
	for range 24 {
		w.pass()
		if err := w.step(); err != nil {
			return fmt.Errorf("%+v, at %v: %w", w.window, w.now(), err)
		}
	}
	sum.again += int(w.eng.Stats().SketchHits)
	return nil
}

// now is the instant that the engine sees, as wall time.
func (w *windowTrace) now() time.Time { return w.eng.timeOf(w.eng.system.Now()) }

// number returns the number of the window of an instant, and when the window ends.
func (w *windowTrace) number(at time.Time) (n int64, ends time.Time) {
	since := at.UnixNano() - int64(w.window.Offset) // after 1970
	n = since / int64(w.window.Per)
	return n, at.Add(time.Duration((n+1)*int64(w.window.Per) - since))
}

// pass lets time go by, or sets the clock.
func (w *windowTrace) pass() {
	switch w.rng.IntN(8) {
	case 0:
		time.Sleep(time.Duration(w.rng.Int64N(int64(2 * w.window.Per))))
	case 1:
		time.Sleep(time.Duration(w.rng.Int64N(int64(w.window.Per)/8 + 1)))
	case 2: // to the last instant of the window, the first of the next one, or the one after
		_, ends := w.number(w.now())
		time.Sleep(ends.Sub(w.now()) + time.Duration(w.rng.IntN(3)-1))
	case 3:
		w.sum.jumps++
		w.clock.by.Add(w.rng.Int64N(int64(4*w.window.Per)) - int64(2*w.window.Per))
	}
}

// step makes a call, and compares.
func (w *windowTrace) step() error {
	c := windowCall{key: strconv.Itoa(w.rng.IntN(8)), most: int64(w.window.Max)}
	if w.used[c.key] == nil {
		w.used[c.key] = map[int64]int64{}
	}
	c.used, c.k, c.n = w.used[c.key], w.eng.Key(c.key), 1+w.rng.Int64N(c.most)
	c.number, c.ends = w.number(w.now())
	c.fits = c.used[c.number]+c.n <= c.most
	switch w.rng.IntN(6) {
	case 0:
		return w.charge(c)
	case 1:
		return w.wait(c)
	case 2:
		s, known := c.k.Inspect()
		if known && (s.Limits[0].Available != float64(max(0, c.most-c.used[c.number])) || s.Limits[0].Ends != c.ends.Sub(w.now())) {
			return fmt.Errorf("key %s: %+v, with %d used until %v", c.key, s.Limits[0], c.used[c.number], c.ends)
		}
		return nil
	default:
		return w.try(c)
	}
}

// windowCall is a call for n tokens, and the window in which it comes.
type windowCall struct {
	key     string
	k       Key
	used    map[int64]int64
	n, most int64
	number  int64
	ends    time.Time
	fits    bool
}

func (w *windowTrace) charge(c windowCall) error {
	if charged := w.rng.Int64N(3 * c.most); charged > 0 {
		c.k.Charge(int(charged))
		c.used[c.number] = max(c.used[c.number], min(c.used[c.number]+charged, 10*c.most, int64(w.window.Per)))
		w.sum.charged++
	}
	return nil
}

// wait makes a call that may wait. Nobody else waits, so it goes at the end of the window.
func (w *windowTrace) wait(c windowCall) error {
	if err := c.k.AcquireN(context.Background(), int(c.n)); err != nil {
		return err
	}
	if !c.fits {
		w.sum.waited++
		if got := w.now(); !got.Equal(c.ends) {
			return fmt.Errorf("key %s: %d tokens at %v, want %v, the end of the window", c.key, c.n, got, c.ends)
		}
		c.number++
	}
	c.used[c.number] += c.n
	return nil
}

// try makes a call that does not wait.
func (w *windowTrace) try(c windowCall) error {
	err := c.k.NoWait().AcquireN(context.Background(), int(c.n))
	if c.fits != (err == nil) {
		return fmt.Errorf("key %s: %d tokens with %d used: %w", c.key, c.n, c.used[c.number], err)
	}
	if err == nil {
		w.sum.admitted++
		c.used[c.number] += c.n
		return nil
	}
	w.sum.refused++
	if r, ok := errors.AsType[*Rejection](err); !ok || r.RetryAfter() != c.ends.Sub(w.now()) {
		return fmt.Errorf("key %s: %w, want a retry after %v", c.key, err, c.ends.Sub(w.now()))
	}
	return nil
}
