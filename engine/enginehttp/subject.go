package enginehttp

import (
	"context"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// subject is what a request asks leave of: a key of an engine, or the keys of a chain.
type subject struct {
	eng      *engine.Engine // nil with a Chain
	key      string
	chain    engine.Key    // in place of eng and key; without a Chain the zero Key
	breaker  bool          // whether an engine has a breaker
	keeps    bool          // of a Transport: whether an engine bounds the calls in flight or their time
	heeds    bool          // of a Transport: whether the open time of a breaker may be what the upstream asks for
	patience time.Duration // of a lease: the shortest that an engine with a breaker has
}

// chained reports whether s has the key of a Chain.
func (s *subject) chained() bool { return s.eng == nil }

// add adds an engine to those of s.
func (s *subject) add(breaker bool, patience time.Duration) {
	if breaker && (!s.breaker || patience < s.patience) {
		s.breaker, s.patience = true, patience
	}
}

// admit asks for leave to make one call. The call stays in queues for at most wait, and in none if
// wait is 0.
func (s *subject) admit(ctx context.Context, wait time.Duration) (*engine.Ticket, error) {
	switch {
	case !s.chained():
		return s.eng.AdmitWithin(ctx, s.key, wait)
	case wait == 0:
		return s.chain.NoWait().Admit(ctx)
	default:
		return s.chain.Within(wait).Admit(ctx)
	}
}

// admitPatiently is admit for a call that stays in queues for as long as the engines, the key and
// ctx allow.
func (s *subject) admitPatiently(ctx context.Context) (*engine.Ticket, error) {
	if !s.chained() {
		return s.eng.Admit(ctx, s.key)
	}
	return s.chain.Admit(ctx)
}

// run is [engine.Engine.Run] for s.
func (s *subject) run(ctx context.Context, fn func(context.Context) error) error {
	if !s.chained() {
		return s.eng.Run(ctx, s.key, fn)
	}
	return s.chain.Run(ctx, fn)
}

// recovering reports whether the breaker of a plain key is not closed. A call that the engine has
// admitted is then perhaps a probe, and otherwise is none. For a chain recovering reports false:
// the breakers of its wider keys cannot be seen.
func (s *subject) recovering() bool {
	if s.chained() || s.patience == 0 {
		return false
	}
	snapshot, known := s.eng.Inspect(s.key)
	return known && snapshot.Breaker != engine.Snapshot{}.Breaker // the zero State is closed
}

// probing reports whether an attempt that run makes with ctx is perhaps a probe. For a chain the
// context tells.
func (s *subject) probing(ctx context.Context) bool {
	if s.chained() {
		return s.patience > 0 && engine.AttemptOf(ctx).Probe
	}
	return s.recovering()
}
