package engine

import (
	"math"
	"math/big"
	"math/rand/v2"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
)

// naiveRules is a breaker.Policy with its defaults.
type naiveRules struct {
	threshold, successes, probes int // no threshold: failures in a row open nothing
	recovery, lease, forget      int64
	tolerated                    int
	longest, mayAsk              int64 // the longest open time, and the longest that an upstream may ask for
	doublings                    int   // of recovery until it is longest at least
	jitter                       float64
	seed                         uint64

	failure, slow float64 // the rates; 0: none
	slowAfter     int64
	minCalls      int
	calls         int   // of a window of calls; 0: of time
	width         int64 // of a slice
}

// naiveRulesOf fills in the defaults of p as they are documented.
func naiveRulesOf(p *breaker.Policy) *naiveRules {
	or := func(v, fallback int64) int64 {
		if v == 0 {
			return fallback
		}
		return v
	}
	r := &naiveRules{
		threshold: p.FailureThreshold, successes: int(or(int64(p.HalfOpenSuccesses), 1)), probes: int(or(int64(p.HalfOpenProbes), 1)),
		recovery: or(int64(p.RecoveryTimeout), int64(5*time.Second)), lease: or(int64(p.ProbeTimeout), int64(30*time.Second)), forget: int64(p.ForgetAfter),
		tolerated: p.HalfOpenFailures, mayAsk: int64(p.MaxRecovery), jitter: p.RecoveryJitter, seed: p.Seed,
		failure: p.FailureRate, slow: p.SlowRate, slowAfter: int64(p.SlowAfter), minCalls: p.MinCalls, calls: p.WindowCalls,
	}
	if r.forget == 0 {
		ten := int64(math.MaxInt64)
		if r.recovery < math.MaxInt64/10 {
			ten = 10 * r.recovery
		}
		r.forget = max(int64(time.Minute), min(ten, 1<<61/10*10))
	}
	r.longest = max(int64(p.MaxRecovery), r.recovery)
	for d := r.recovery; d < r.longest; d *= 2 {
		r.doublings++
	}
	if !r.rated() {
		r.threshold = int(or(int64(r.threshold), 5))
		return r
	}
	if r.minCalls == 0 {
		r.minCalls = 20
		if r.calls > 0 {
			r.minCalls = min(20, r.calls)
		}
	}
	if r.width = int64(p.Window) / 10; p.Window == 0 {
		r.width = int64(time.Second)
	}
	if r.calls > 0 {
		r.width = max(1, r.forget/10)
	}
	return r
}

// rated reports whether a share of the calls may open the breaker.
func (r *naiveRules) rated() bool { return r.failure > 0 || r.slow > 0 }

// abandoned is how long after a probe could come a breaker that is not closed is forgotten: when
// ForgetAfter, of which one recovery is over, has passed, but not before it has been half-open for ten times
// its recovery.
func (r *naiveRules) abandoned() int64 {
	if r.recovery > (math.MaxInt64-1)/10 {
		return math.MaxInt64 - 1
	}
	return max(r.forget-r.recovery, 10*r.recovery)
}

// openTime is how long a breaker is open that opens at the instant at, after so many trips before.
func (r *naiveRules) openTime(trips int, at int64) int64 {
	d := r.recovery
	for range trips {
		d = min(2*d, r.longest)
	}
	share := big.NewInt(int64(r.jitter * (1 << 32)))
	most := min(share.Mul(share, big.NewInt(d)).Rsh(share, 32).Int64(), d-1)
	off := new(big.Int).SetUint64(rand.NewPCG(r.seed, uint64(at)).Uint64())
	return d - off.Mul(off, big.NewInt(most+1)).Rsh(off, 64).Int64()
}

// drawBreaker draws a breaker; some fields are left to their defaults, others are as small or as
// large as they may be.
func (w *world) drawBreaker(s *setup) {
	duration := func() time.Duration {
		switch w.below(24) {
		case 0:
			return 1
		case 1:
			return 1 << 61
		case 2, 3:
			return 0
		default:
			return time.Duration(w.spread(max(1, w.tick/4), 16*w.tick))
		}
	}
	p := breaker.Policy{
		FailureThreshold: w.below(6), HalfOpenSuccesses: w.below(4), HalfOpenProbes: w.below(mostProbes + 1),
		RecoveryTimeout: duration(), ProbeTimeout: duration(), ForgetAfter: duration() * 4,
	}
	if p.ForgetAfter < 0 || p.ForgetAfter > 1<<61 {
		p.ForgetAfter = 1 << 61
	}
	w.drawGrowth(&p)
	if w.oneIn(3) {
		w.drawRates(&p)
	}
	s.cfg.Breaker = &p
	s.circuit = naiveRulesOf(&p)
}

// drawGrowth draws what a breaker tolerates half-open, and how its open time grows; mostly neither.
func (w *world) drawGrowth(p *breaker.Policy) {
	if w.oneIn(3) {
		p.HalfOpenFailures = w.below(3)
	}
	if w.oneIn(3) {
		recovery := p.RecoveryTimeout
		if recovery == 0 {
			recovery = 5 * time.Second
		}
		p.MaxRecovery = 1 << 61
		if recovery < 1<<50 && !w.oneIn(16) {
			p.MaxRecovery = recovery * time.Duration(1+w.below(40))
		}
	}
	if w.oneIn(4) {
		p.RecoveryJitter, p.Seed = float64(w.below(17))/16, w.rng.Uint64()|1
	}
}

// drawRates draws what share of calls opens a breaker; failures in a row mostly open it no more.
func (w *world) drawRates(p *breaker.Policy) {
	if p.FailureThreshold = 0; w.oneIn(3) {
		p.FailureThreshold = 1 + w.below(12)
	}
	p.FailureRate = []float64{0, 0.1, 0.25, 0.5, 0.5, 0.8, 1}[w.below(7)]
	if p.FailureRate == 0 || w.oneIn(3) {
		p.SlowRate, p.SlowAfter = []float64{0.1, 0.3, 0.5, 1}[w.below(4)], time.Duration(w.spread(1, 4*w.tick))
	}
	p.MinCalls = w.below(9)
	switch w.below(12) {
	case 0:
		p.Window = 10
	case 1:
		p.Window = 1 << 61
	case 2: // the default
	case 3, 4, 5, 6:
		p.WindowCalls = max(1, p.MinCalls) + int(w.spread(0, 40))
	default:
		p.Window = time.Duration(w.spread(max(10, w.tick/2), 256*w.tick))
	}
}
