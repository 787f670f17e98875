package peers

import (
	"fmt"
	"math"
	"time"

	"github.com/limitpal/limitpal-go/bench/conformance"
	"github.com/limitpal/limitpal-go/bench/contender"
)

const noLimiter = "no limiter"

func contended(s Subject, d time.Duration) Finding {
	if !s.Does.Has(contender.Limits) {
		return without(noLimiter)
	}
	e, err := conformance.Contention(s.Contender, d)
	if err != nil {
		return broken("%v", err)
	}
	return excess(int(e.Admitted), e.Bound)
}

// stamps tells the limiter alternately that it is a second later and that it is not.
func stamps(s Subject) Finding {
	if s.Stamped == nil {
		if !s.Does.Has(contender.Limits) {
			return without(noLimiter)
		}
		return without("cannot be told the time")
	}
	cfg := settings()
	cfg.Interval = 100 * time.Millisecond
	begin := time.Now()
	now := begin
	l, err := s.Stamped(cfg, func() time.Time { return now })
	if err != nil {
		return broken("%v", err)
	}
	admitted := 0
	for i := range 20_000 {
		now = begin.Add(time.Duration(i%2) * time.Second)
		if l.Take(1) {
			admitted++
		}
	}
	if err := l.Close(); err != nil {
		return broken("close: %v", err)
	}
	return excess(admitted, 20)
}

// burst takes until the limiter refuses, and notes when it admitted. One that cannot refuse blocks instead, and admits later.
func (a *admissions) burst(g contender.Guard, key contender.Key, begin time.Time, most int) {
	for range most {
		asked := time.Now()
		if !g.Allow(key) {
			return
		}
		now := time.Now()
		*a = append(*a, now.Sub(begin))
		if now.Sub(asked) > time.Millisecond {
			return
		}
	}
}

// boundary begins a window of 100 in 200 ms, if the limiter has windows, and empties it just before and just after its end. In
// real time it may come too late for that, and tries again.
func boundary(s Subject) Finding {
	if !s.Does.Has(contender.Limits) {
		return without(noLimiter)
	}
	cfg := settings()
	cfg.Capacity, cfg.Interval = 100, 2*time.Millisecond
	window := time.Duration(cfg.Capacity) * cfg.Interval
	var f Finding
	for late, try := true, 0; late && try < 10; try++ {
		f = with(s, cfg, func(g contender.Guard, key contender.Key) Finding {
			var a admissions
			begin := time.Now()
			a.burst(g, key, begin, 1)
			time.Sleep(window - 15*time.Millisecond)
			a.burst(g, key, begin, 1000)
			late = time.Since(begin) >= window
			time.Sleep(window + 100*time.Microsecond - time.Since(begin))
			a.burst(g, key, begin, 1000)
			return excess(a.worst(cfg.Capacity, cfg.Interval))
		})
	}
	return f
}

// deficit has one caller more than the bucket holds wait for its token, and much later counts what is there.
func deficit(s Subject) Finding {
	if !s.Does.Has(contender.Limits) {
		return without(noLimiter)
	}
	if !s.Does.Has(contender.Waits) {
		return without("no queue")
	}
	cfg := settings()
	cfg.Interval, cfg.Queue = 100*time.Millisecond, true
	return with(s, cfg, func(g contender.Guard, key contender.Key) Finding {
		for range cfg.Capacity + 1 {
			if err := g.Wait(background, key); err != nil {
				return broken("%v", err)
			}
		}
		time.Sleep(100 * time.Second)
		var a admissions
		a.burst(g, key, time.Now(), 2000)
		return excess(a.worst(cfg.Capacity, cfg.Interval))
	})
}

// counted is a drained limit that takes several tokens at once, and what there is to say of a subject that has none.
func counted(s Subject, check func(Limit) Finding) Finding {
	switch {
	case !s.Does.Has(contender.Limits):
		return without(noLimiter)
	case s.Counted == nil:
		return without("one token at a time")
	}
	l, err := s.Counted(settings())
	if err != nil {
		return broken("%v", err)
	}
	f := check(l)
	if err := l.Close(); err != nil {
		return broken("close: %v", err)
	}
	return f
}

func negative(s Subject) Finding {
	if s.Unsigned {
		return without("takes a uint")
	}
	return counted(s, func(l Limit) Finding {
		for range settings().Capacity {
			if !l.Take(1) {
				return broken("a full bucket refused")
			}
		}
		l.Take(-100)
		minted := 0
		for minted < 1000 && l.Take(1) {
			minted++
		}
		if minted > 0 {
			return faulty(int64(minted), "%d tokens minted", minted)
		}
		return clean()
	})
}

// overflow asks for what the bucket cannot hold, a new one for each: among it numbers whose product with the interval is
// negative, or small, when it has overflowed.
func overflow(s Subject) Finding {
	interval := int64(settings().Interval)
	quantities := []int64{
		int64(settings().Capacity) + 1, math.MaxInt32, math.MaxUint32 + 2,
		math.MaxInt64/interval + 1, 2*(math.MaxInt64/interval) + 2, math.MaxInt64 - 1, math.MaxInt64,
	}
	if s.Unsigned {
		quantities = append(quantities, math.MinInt64, -1) // their bits are those of huge numbers
	}
	var accepted []int64
	for _, n := range quantities {
		f := counted(s, func(l Limit) Finding {
			if l.Take(n) {
				accepted = append(accepted, n)
			}
			return clean()
		})
		if f.Verdict != Clean {
			return f
		}
	}
	if len(accepted) == 0 {
		return clean()
	}
	return faulty(int64(len(accepted)), "%s of %d granted", grouped(uint64(accepted[0])), settings().Capacity)
}

// grouped is n with commas between its thousands.
func grouped(n uint64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}
