package actors_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	steppedSeed  = flag.Uint64("stepped.seed", 0, "run this seed of the stepped tests alone")
	steppedSeeds = flag.Uint64("stepped.seeds", 4000, "run so many seeds of the stepped tests")
	steppedTrace = flag.Bool("stepped.trace", false, "print the events of the stepped tests")
)

// play runs a scene to its end and returns the trace.
func play(seed uint64) (x *scene, err error) {
	if x, err = newScene(seed); err != nil {
		return nil, err
	}
	acts := 5 + x.random.IntN(30)
	for id := range x.callers {
		x.spawn(fmt.Sprint("caller ", id), func() { x.caller(id, acts) })
	}
	quiet := x.oneIn(2)
	if quiet {
		x.run(func() bool { return x.leaving == x.callers })
		x.panics, x.b.faulty = 0, 0
		end := x.now + int64(4*x.cfg.IdleAfter+4*x.cfg.Linger+x.cfg.RestartWindow+20*time.Second)
		x.run(func() bool { return x.now >= end && x.able() == 0 })
		x.checkQuiet()
	} else {
		some := x.random.IntN(1000)
		x.run(func() bool { return x.events >= some })
	}
	closed := 0
	closers := 1 + x.random.IntN(2)
	x.closing = true
	for range closers {
		x.spawn("close", func() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			for _, ctx := range []context.Context{ctx, context.Background()} {
				err := x.s.Close(ctx)
				if err != ctx.Err() && err != nil {
					x.fail("Close: %v", err)
				}
				if n := x.steppers(); err == nil && n > 0 {
					x.fail("Close returns, and %d actors run", n)
				}
			}
			x.note("closed", 0)
			closed++
		})
	}
	x.run(func() bool { return len(x.tasks) == 0 })
	if closed < closers || x.leaving < x.callers {
		x.fail("%d of %d closers and %d of %d callers have come to the end", closed, closers, x.leaving, x.callers)
	}
	x.checkEnd()
	return x, x.faults
}

// able is how many tasks can go on.
func (x *scene) able() (n int) {
	for _, t := range x.tasks {
		if t.ready == nil || t.ready() {
			n++
		}
	}
	return n
}

// steppers is how many actors run, the supervisor among them.
func (x *scene) steppers() (n int) {
	for _, t := range x.tasks {
		if t.stepper {
			n++
		}
	}
	return n
}

// checkQuiet checks the system long after the last caller has gone.
func (x *scene) checkQuiet() {
	for name, a := range x.b.accounts {
		if slices.ContainsFunc(a.owed, func(m *parcel) bool { return m.finished == 0 }) {
			x.fail("%q still owes", name)
		}
		if a.at(x.now); a.p != nil && a.n == 0 && !a.broken {
			x.fail("%q equals a new key, and is not forgotten: %+v, %+v", name, *a, *a.p)
		}
		if a.p != nil && a.pending != 0 {
			x.fail("%q has %d messages that have had no turn", name, a.pending)
		}
	}
	if err := x.s.Inconsistent(); err != nil {
		x.fail("when all is quiet: %w", err)
	}
	if n := x.s.Stats().Actors; n > 0 {
		x.fail("%d actors still run", n)
	}
}

// checkEnd checks that every message had one fate.
func (x *scene) checkEnd() {
	for _, m := range x.parcels {
		want := 0
		if m.accepted {
			want = 1
		}
		if m.finished != want {
			x.fail("a message for %q of kind %d was answered %d times, and accepted: %v", m.key, m.kind, m.finished, m.accepted)
		}
	}
	if got := x.s.Stats(); got.Actors != 0 {
		x.fail("%d actors after Close", got.Actors)
	}
	if err := x.s.Inconsistent(); err != nil {
		x.fail("at the end: %w", err)
	}
	x.note("end", int64(x.b.evicted))
}

// TestSteppedPromises runs actors, the supervisor and callers in one thread, in orders that follow from a seed.
func TestSteppedPromises(t *testing.T) {
	if *steppedSeed != 0 {
		_, err := play(*steppedSeed)
		require.NoError(t, err)
		return
	}
	var events, limits, evicted, spilled int
	for seed := uint64(1); seed <= *steppedSeeds; seed++ {
		x, err := play(seed)
		require.NoError(t, err, "go test ./actors -run TestSteppedPromises -stepped.seed %d", seed)
		events += x.events
		limits += x.limits
		evicted += int(x.b.evicted)
		spilled += int(x.b.spilled)
	}
	t.Logf("%d seeds, %d events, %d keys refused, %d evicted, %d spilled", *steppedSeeds, events, limits, evicted, spilled)
}

// TestSteppedRunsRepeat plays seeds twice.
func TestSteppedRunsRepeat(t *testing.T) {
	for seed := range uint64(200) {
		one, err := play(seed)
		require.NoError(t, err)
		two, err := play(seed)
		require.NoError(t, err)
		require.Equal(t, one.sum, two.sum, "seed %d", seed)
		require.Equal(t, one.events, two.events)
	}
}
