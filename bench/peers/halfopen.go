package peers

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
)

// breaking is a breaker that opens at the third failure in a row and lets one probe through five seconds later, without a limit.
func breaking() contender.Settings {
	s := settings()
	s.Capacity, s.FailureThreshold, s.RecoveryTimeout = 0, 3, 5*time.Second
	return s
}

func succeed(context.Context) error { return nil }
func fail(context.Context) error    { return errFailed }

// goes reports whether a call of the key is let through now. It succeeds.
func goes(g contender.Guard, key contender.Key) bool {
	ran := false
	_ = g.Run(background, key, func(context.Context) error { ran = true; return nil })
	return ran
}

// halfOpen opens the breaker and waits until the next call is a probe. It reports whether the breaker did open.
func halfOpen(s Subject, g contender.Guard, key contender.Key, cfg contender.Settings) bool {
	for range cfg.FailureThreshold {
		_ = g.Run(background, key, fail)
	}
	err := g.Run(background, key, succeed)
	time.Sleep(cfg.RecoveryTimeout + time.Nanosecond)
	return slices.ContainsFunc(s.Open, func(open error) bool { return errors.Is(err, open) })
}

// probed sends a probe that ends as end does, on a goroutine of its own, and asks for another hour whether the breaker lets
// a call through. If the probe is still out then it is released.
func probed(s Subject, end func(ctx context.Context, cancel func(), released <-chan struct{}) error) Finding {
	if !s.Does.Has(contender.Breaks) {
		return without("no breaker")
	}
	cfg := breaking()
	return with(s, cfg, func(g contender.Guard, key contender.Key) Finding {
		if !halfOpen(s, g, key, cfg) {
			return broken("did not open")
		}
		var probe sync.WaitGroup
		released := make(chan struct{})
		var out atomic.Bool
		probe.Go(func() {
			defer func() { _ = recover() }()
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			_ = g.Run(ctx, key, func(ctx context.Context) error {
				out.Store(true)
				defer out.Store(false)
				return end(ctx, cancel, released)
			})
		})
		time.Sleep(time.Nanosecond) // until it has ended, or waits
		if out.Load() && goes(g, key) {
			close(released)
			probe.Wait()
			return faulty(1, "two probes at once")
		}
		recovered := false
		for begin := time.Now(); !recovered && time.Since(begin) < time.Hour; time.Sleep(time.Second) {
			recovered = goes(g, key)
		}
		close(released)
		probe.Wait()
		if !recovered {
			return faulty(1, "wedged")
		}
		return clean()
	})
}

func probeHangs(s Subject) Finding {
	return probed(s, func(_ context.Context, _ func(), released <-chan struct{}) error {
		<-released
		return nil
	})
}

func probePanics(s Subject) Finding {
	return probed(s, func(context.Context, func(), <-chan struct{}) error { panic("peers: the probe panics") })
}

func probeExits(s Subject) Finding {
	return probed(s, func(context.Context, func(), <-chan struct{}) error {
		runtime.Goexit()
		return nil
	})
}

func probeLeaves(s Subject) Finding {
	return probed(s, func(ctx context.Context, cancel func(), _ <-chan struct{}) error {
		cancel()
		return ctx.Err()
	})
}

// stale ends calls that began while the breaker was closed when it is half-open with a probe out. A success must not close
// it, nor a failure open it.
func stale(s Subject) Finding {
	if !s.Does.Has(contender.Breaks) {
		return without("no breaker")
	}
	cfg := breaking()
	return with(s, cfg, func(g contender.Guard, key contender.Key) Finding {
		var calls sync.WaitGroup
		call := func() chan error {
			result := make(chan error, 1)
			calls.Go(func() { _ = g.Run(background, key, func(context.Context) error { return <-result }) })
			time.Sleep(time.Nanosecond) // until it waits
			return result
		}
		success, failure := call(), call()
		opened := halfOpen(s, g, key, cfg)
		probe := call()
		success <- nil
		time.Sleep(time.Nanosecond)
		closed := goes(g, key)
		failure <- errFailed
		time.Sleep(time.Nanosecond)
		probe <- nil
		calls.Wait()
		switch {
		case !opened:
			return broken("did not open")
		case closed:
			return faulty(1, "counted: a late success closes it")
		case !goes(g, key):
			return faulty(1, "counted: a late failure opens it")
		default:
			return clean()
		}
	})
}

// callback bounds the wait for one that deadlocks by wake-ups of its own, so that a process which is kept from running is not
// taken for one that hangs. What hangs stays.
func callback(s Subject) Finding {
	if s.Callback == nil {
		if !s.Does.Has(contender.Breaks) {
			return without("no breaker")
		}
		return without("no callback of its own")
	}
	returned := make(chan error, 1)
	go func() { returned <- s.Callback() }() // ends unless it deadlocks
	for range 25 {
		select {
		case err := <-returned:
			if err != nil {
				return broken("%v", err)
			}
			return clean()
		default:
			time.Sleep(10 * time.Millisecond)
		}
	}
	return faulty(1, "deadlock")
}
