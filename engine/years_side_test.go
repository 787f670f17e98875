package engine_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// side is an engine of a world with its keys.
type side struct {
	bucket
	eng     *engine.Engine
	perCall bool
	queues  bool // calls wait for its tokens
	rules   breaker.Policy
	keys    []worldKey
	kept    int64 // tokens of Stats.KeptSpent that were missed in a bucket
}

// worldKey is a key as callers see the key.
type worldKey struct {
	upstream
	*side
	name   string
	handle engine.Key

	mu      sync.Mutex
	account account
	all     []admission // since the last reset
	resetAt int64
	held    int64 // tokens, at most, of calls through chains that are not made yet
	refused bool  // by its breaker, since it last came through
}

// open makes the engine and n keys.
func (s *side) open(t *testing.T, w *world, cfg engine.Config, n int) {
	rng := w.rng
	s.rules = breaker.Policy{
		FailureThreshold: 1 + rng.IntN(5), RecoveryTimeout: time.Duration(1+rng.IntN(60)) * time.Second,
		HalfOpenProbes: 1 + rng.IntN(3), HalfOpenSuccesses: 1 + rng.IntN(3), ProbeTimeout: time.Duration(1+rng.IntN(60)) * time.Second,
	}
	if rng.IntN(2) == 0 {
		s.rules.HalfOpenFailures = rng.IntN(3)
		s.rules.MaxRecovery = s.rules.RecoveryTimeout * time.Duration(1+rng.IntN(5))
		s.rules.RecoveryJitter = rng.Float64()
		s.rules.Seed = 1 + rng.Uint64N(1<<60)
	}
	cfg.Breaker = &s.rules
	s.perCall, s.queues = cfg.PerCall, cfg.MaxWait != engine.NoWait
	var err error
	s.eng, err = engine.New(cfg)
	require.NoError(t, err)
	s.keys = make([]worldKey, n)
	for i := range s.keys {
		k := &s.keys[i]
		k.side, k.name = s, cfg.Name+"-"+strconv.Itoa(i)
		k.handle = s.eng.Key(k.name)
		k.account, k.resetAt = newAccount(s.bucket), -1
		k.rng = rand.New(rand.NewPCG(rng.Uint64(), 0))
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
	time.Sleep(s.rules.ProbeTimeout + max(s.rules.RecoveryTimeout, s.rules.MaxRecovery))
	for i := range s.keys {
		k := &s.keys[i]
		for range s.rules.HalfOpenSuccesses {
			time.Sleep(s.interval) // for a token
			if s.eng.Run(context.Background(), k.name, succeed) != nil {
				w.wedged.Add(1)
			}
		}
		if inspect(t, s.eng, k.name).Breaker != breaker.Closed {
			w.wedged.Add(1)
		}
		k.settle(w)
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
		if !known {
			continue
		}
		k.mu.Lock()
		leaked, minted := k.account.astray(w.now(), shown.Limits[0].Available)
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

// take takes note of n tokens that were taken at some instant from began on, until now.
func (k *worldKey) take(began, now, n int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if began < now {
		k.account.miss(now, n)
	} else {
		k.account.take(now, n)
	}
	if began > k.resetAt { // else they may be of the bucket before
		k.all = append(k.all, admission{began, now, n})
	}
}

// reset notes that the key is about to be reset: a grant in this instant may come before or after.
func (k *worldKey) reset(w *world) {
	k.settle(w)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.account.reset(w.now())
	k.all, k.resetAt = nil, w.now()
}

// settle counts the excess of the key since the last reset.
func (k *worldKey) settle(w *world) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w.excess.Add(k.tokens(max(k.account.worst, k.excess(k.all))))
}

// hold notes that n tokens, at most, may be held from now on; or no more, if n is negative.
func (k *worldKey) hold(n int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held += n
}
