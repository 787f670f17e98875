package peers

import (
	"context"
	"sync"
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
)

var background = context.Background()

// queued is the settings of a limit of one token a second, and what there is to say of a subject that cannot wait for it.
func queued(s Subject) (contender.Settings, Finding) {
	cfg := settings()
	cfg.Capacity, cfg.Interval, cfg.Queue = 1, time.Second, true
	switch {
	case !s.Does.Has(contender.Limits):
		return cfg, without(noLimiter)
	case !s.Does.Has(contender.Waits):
		return cfg, without("no queue")
	case s.Patient:
		return cfg, without("a wait cannot be cancelled")
	}
	return cfg, clean()
}

// cancelled has callers queue and leave one after the other, first come, first gone, before any of them was served. Whoever
// comes then should be served when the first of them would have been.
func cancelled(s Subject) Finding {
	cfg, f := queued(s)
	if f.Verdict != Clean {
		return f
	}
	return with(s, cfg, func(g contender.Guard, key contender.Key) Finding {
		begin := time.Now()
		if err := g.Wait(background, key); err != nil {
			return broken("%v", err)
		}
		var leave []context.CancelFunc
		var waiters sync.WaitGroup
		for range 100 {
			ctx, cancel := context.WithCancel(background)
			leave = append(leave, cancel)
			waiters.Go(func() { _ = g.Wait(ctx, key) })
			time.Sleep(time.Nanosecond) // until it waits
		}
		for _, cancel := range leave {
			cancel()
			time.Sleep(time.Nanosecond)
		}
		waiters.Wait()
		return lost(g, key, begin.Add(cfg.Interval))
	})
}

// ended has callers come that have already left. Whoever comes then should be served at once.
func ended(s Subject) Finding {
	cfg, f := queued(s)
	if f.Verdict != Clean {
		return f
	}
	return with(s, cfg, func(g contender.Guard, key contender.Key) Finding {
		ctx, cancel := context.WithCancel(background)
		cancel()
		due := time.Now()
		for range 100 {
			_ = g.Wait(ctx, key)
		}
		return lost(g, key, due)
	})
}

// lost is how many tokens nobody has got, if the next one was due at an instant, and one more every second.
func lost(g contender.Guard, key contender.Key, due time.Time) Finding {
	if err := g.Wait(background, key); err != nil {
		return broken("%v", err)
	}
	tokens := time.Since(due).Round(time.Second) / time.Second
	if tokens > 0 {
		return faulty(int64(tokens), "%d of 100 tokens lost", tokens)
	}
	return clean()
}
