package engine_test

import (
	"context"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// side is an engine of a world with its keys.
type side struct {
	eng     *engine.Engine
	first   engine.Config // and the last
	unit    int64         // ns; the interval of every bucket is 1, 2, 3, 4 or 6 of it
	tight   bool          // there are more keys than MaxKeys allows, by some policies
	changes bool
	rules   breaker.Policy // of first
	mode    atomic.Pointer[mode]
	keys    []worldKey
	kept    int64           // tokens of Stats.KeptSpent that were missed in a bucket
	base    bucket          // of first
	limiter limiter.Limiter // of a key without a plan
	common  bucket          // that of limiter
	byPlan  bool            // LimiterFor is in force
}

// mode is what callers have to know of the policy in force. Each change makes a new one.
type mode struct {
	perCall, shadow  bool
	places           int           // calls in flight; 0: any number
	timeout, attempt time.Duration // of a call, of an attempt; 0: none
}

// worldKey is a key as callers see the key.
type worldKey struct {
	upstream
	*side
	name   string
	handle engine.Key

	mu      sync.Mutex
	account account
	born    account // of a key that is born now and was never used
	course  course
	all     []admission // since resetAt
	resetAt int64
	loose   bool  // it may follow a limit from before account's, or be born full
	inside  int   // functions that run with a place of the key
	held    int64 // tokens, at most, of calls through chains that are not made yet
	refused bool  // by its breaker, since it last came through

	planning sync.Mutex // of plan
	plan     limiter.Limiter
	planned  bucket
}

// open makes the engine and n keys.
func (s *side) open(t *testing.T, w *world, cfg engine.Config, n int) {
	s.rules = drawRules(w.rng)
	cfg.Breaker = &s.rules
	w.guards.draw(w.rng, &cfg)
	b := s.drawBucket(w.rng)
	if l := b.limiter(); cfg.Limiter == nil {
		cfg.Limiter = l
	} else {
		cfg.Limiter = limiter.All(l, cfg.Limiter)
	}
	var err error
	s.eng, err = engine.New(cfg)
	require.NoError(t, err)
	s.first, s.base, s.common, s.tight = cfg, b, b, cfg.MaxKeys < n
	s.mode.Store(modeOf(cfg))
	s.keys = make([]worldKey, n)
	for i := range s.keys {
		k := &s.keys[i]
		k.side, k.name = s, cfg.Name+"-"+strconv.Itoa(i)
		k.handle = s.eng.Key(k.name)
		k.account, k.resetAt = newAccount(b), -1
		k.account.token = 12 * s.unit
		k.born = k.account
		k.course = course{{bucket: b}}
		k.rng = rand.New(rand.NewPCG(w.rng.Uint64(), 0))
		k.until = w.epoch
	}
}

// recover ends all outages.
func (s *side) recover() {
	for i := range s.keys {
		s.keys[i].heal()
	}
}

// close sees whether all keys are well, and closes the engine.
func (s *side) close(t *testing.T, w *world) {
	for i := range s.keys {
		require.NoError(t, s.eng.Force(s.keys[i].name, breaker.Open, 0))
	}
	require.Zero(t, s.eng.Stats().ForcedKeys)
	s.checkPlaces(w)
	time.Sleep(s.rules.ProbeTimeout + 5*time.Minute) // the longest open time of drawRules
	for i := range s.keys {
		k := &s.keys[i]
		for range s.rules.HalfOpenSuccesses {
			time.Sleep(k.account.interval) // for a token
			if s.eng.Run(context.Background(), k.name, succeed) != nil {
				w.wedged.Add(1)
			}
		}
		if inspect(t, s.eng, k.name).Breaker != breaker.Closed {
			w.wedged.Add(1)
		}
		k.mu.Lock()
		k.settle(w)
		k.mu.Unlock()
	}
	stats := s.eng.Stats()
	require.Zero(t, stats.Restarts)
	w.spills.Add(int64(stats.Spilled))    //nolint:gosec // far from the limit
	w.evictions.Add(int64(stats.Evicted)) //nolint:gosec // far from the limit
	w.kept.Add(int64(stats.KeptSpent))    //nolint:gosec // far from the limit
	require.NoError(t, s.eng.Close(context.Background()))
	require.Zero(t, s.eng.Stats().Actors)
}

// look checks whether every bucket lacks exactly the tokens that were taken. It may lack those that
// calls hold that are not made yet, and those that such calls have left spent.
func (s *side) look(w *world) {
	for i := range s.keys {
		k := &s.keys[i]
		shown, known := s.eng.Inspect(k.name)
		if !known || len(shown.Limits) == 0 || shown.Waiting > 0 && k.paces() { // the places of those who wait are not free
			continue
		}
		k.mu.Lock()
		k.tighten(w.now())
		leaked, minted := k.account.astray(w.now(), shown.Limits[0].Available)
		if s.tight && s.changes {
			leaked = 0 // a key that was spilled before a change comes back empty
		}
		if leaked = max(0, leaked-k.held); leaked > 0 {
			spent := int64(s.eng.Stats().KeptSpent) //nolint:gosec // far from the limit
			kept := min(leaked, spent-s.kept)
			s.kept += kept
			leaked -= kept
			k.account.miss(w.now(), kept)
		}
		k.mu.Unlock()
		w.leaked.Add(leaked)
		w.minted.Add(minted)
		w.looks.Add(1)
	}
}

// take takes note of n tokens that were taken at some instant from began on, until now. In shadow, or if it was
// looked at in shadow, they may not have been taken.
func (k *worldKey) take(began, now, n int64, looked *mode) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch k.tighten(now); {
	case looked.shadow || k.mode.Load().shadow:
		k.account.miss(now, n)
		return
	case now == k.account.twiceAt:
		k.account.miss(now, n)
		return
	case began < now:
		k.account.miss(now, n)
	default:
		k.account.take(now, n)
	}
	if began > k.resetAt && k.account.capacity > 0 { // else they may be of the bucket before
		k.all = append(k.all, admission{began, now, n})
	}
}

// reset notes that the key is about to be reset: a grant in this instant may come before or after. A key
// that is not known begins as keys are born.
func (k *worldKey) reset(w *world) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settle(w)
	k.account.reset(w.now())
	k.born.flow(w.now())
	k.account.high = k.born.high
	k.begin(w.now())
}

// begin begins the windows anew, after the instant at.
func (k *worldKey) begin(at int64) {
	k.all, k.resetAt = nil, at
	k.course = course{{bucket: k.account.bucket, from: at}}
}

// settle counts the excess of the key since the windows began. The key is locked.
func (k *worldKey) settle(w *world) {
	w.excess.Add(k.account.whole(max(k.account.worst, k.course.excess(k.account.token, k.all))))
	k.account.worst = math.MinInt64
}

// hold notes that n tokens, at most, may be held from now on; or no more, if n is negative.
func (k *worldKey) hold(n int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held += n
}

// most returns the number of tokens of the largest call that may pass.
func (k *worldKey) most() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.account.capacity == 0 {
		return 10
	}
	return int(k.account.capacity)
}
