package peers

import (
	"time"

	"github.com/limitpal/limitpal-go/bench/contender"
)

// What a crowded guard has: room for so many keys, or for keys used so long ago.
const (
	roomFor     = 100
	forgetAfter = 5 * time.Millisecond
)

// eviction drains a key, then twice as many others as there is room for, later, so that they have more reason to stay, and
// then the key again, ten times.
func eviction(s Subject) Finding {
	if s.Crowded == nil {
		if !s.Does.Has(contender.Limits) {
			return without(noLimiter)
		}
		return without("never forgets a key")
	}
	cfg := settings()
	cfg.Keys = contender.NewKeys(2*roomFor + 1)
	g, err := s.Crowded(cfg)
	if err != nil {
		return broken("%v", err)
	}
	var a admissions
	begin := time.Now()
	for range 10 {
		a.burst(g, cfg.Keys.At(0), begin, 1000)
		time.Sleep(3 * forgetAfter)
		for i := range 2 * roomFor {
			for range cfg.Capacity {
				g.Allow(cfg.Keys.At(i + 1))
			}
		}
	}
	if err := g.Close(); err != nil {
		return broken("close: %v", err)
	}
	return excess(a.worst(cfg.Capacity, cfg.Interval))
}
