package engine

import (
	"context"
	"errors"
	"reflect"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// Config returns the configuration in force: that of New or of the last [Engine.Reconfigure]. The policies
// are copies.
func (e *Engine) Config() Config { return e.settings.Load().config.clone() }

// Reconfigure puts cfg into force while calls run. All of cfg is checked first: on an error, which joins
// one *ConfigError for each field that cannot be used, nothing has changed. Name, Clock and Dispatch must
// stay as they are. After Close the error is ErrClosed.
//
// Every call that begins after Reconfigure has returned is judged by cfg. The change counts as of the
// instant of Reconfigure for every key, also for a key that is used much later:
//
//   - The tokens that a key has stay, fractions included, up to the new capacity. A limit that is the same
//     as before is not touched, and a limit that comes after all earlier ones starts full. Limits are matched
//     by position. So no change, back and forth, makes a token; docs/limits.md has the rules.
//   - Callers that wait are served as the new limits say, at once if these let them pass, and are refused
//     with limiter.ErrLimited once they have waited for as long as they may. A caller that asked for more
//     than the new capacity is refused with limiter.ErrExceedsCapacity.
//   - Failures that are counted and open breakers stay. A breaker that is switched off or on begins anew.
//     A window that begins with the change may lack the successes of calls that run already.
//   - Calls that run are tried again by the policy in force when their first attempt has failed.
//
// Reconfigure takes no longer if there are more keys that nobody uses. With LimiterFor, it asks for the
// limit of every key whose actor runs; a panic of LimiterFor leaves cfg in force. Any goroutine may call
// Reconfigure, but LimiterFor must not.
func (e *Engine) Reconfigure(cfg Config) error {
	e.changes.Lock()
	defer e.changes.Unlock()
	if e.ended.Load() {
		return ErrClosed
	}
	policy, ac, err := cfg.compile()
	if err = errors.Join(err, e.mayBecome(&cfg)); err != nil {
		return err
	}
	st := e.newSettings(cfg, policy)
	st.version = e.behavior.Prepare(policy, st.shared == nil)
	now := e.system.Now()
	e.system.Still(func() { // else a key could be born by the old settings and the new version
		e.behavior.Install(st.version, now)
		e.settings.Store(st)
	})
	if e.ended.Load() {
		e.shut() // Close came before the new settings
	}
	at := e.nowOr(now)
	e.system.Still(func() { e.behavior.Date(st.version, at) })
	e.behavior.Settle()
	e.revision.Add(1)
	e.changed(at, "")
	e.system.Resize(ac.MaxKeys, ac.IdleAfter, ac.Linger)
	for _, c := range e.system.Running() {
		m := guard.Message{Kind: guard.Refresh}
		if e.catchUp(c, &m) == nil && !guard.Planted("a waiter left with the old time") {
			_, _ = e.deliver(context.Background(), c, &m, func(*guard.Cell) (*guard.Cell, error) { return nil, errUnknown })
		}
	}
	return nil
}

// shut has every call ask whether the engine has ended: no settings say any more that a gate may be all there is.
func (e *Engine) shut() {
	for st := e.settings.Load(); st.plain || st.chained || st.placed || st.timed; st = e.settings.Load() {
		ended := *st
		ended.plain, ended.chained, ended.placed, ended.timed = false, false, false, false
		e.settings.CompareAndSwap(st, &ended)
	}
}

// nowOr reads the clock, and returns before, an earlier reading, if the clock panics.
func (e *Engine) nowOr(before int64) (now int64) {
	defer func() {
		if recover() != nil {
			now = before
		}
	}()
	return e.system.Now()
}

// mayBecome returns an error for each field of cfg that must stay and does not.
func (e *Engine) mayBecome(cfg *Config) error {
	var errs []error
	was := e.settings.Load().config
	for _, f := range []struct {
		name  string
		value any
		same  bool
	}{
		{"Name", cfg.Name, cfg.Name == was.Name},
		{"Clock", cfg.Clock, equalClocks(cfg.Clock, was.Clock)},
		{"Dispatch", cfg.Dispatch, cfg.Dispatch == was.Dispatch},
	} {
		if !f.same {
			errs = append(errs, &ConfigError{Field: f.name, Value: f.value, Reason: "must stay as it was given to New"})
		}
	}
	return errors.Join(errs...)
}

// equalClocks reports whether two Clocks of a Config are the same, or both nil.
func equalClocks(a, b clock.Clock) bool {
	if a == nil || b == nil {
		return a == b
	}
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// Refresh asks Config.LimiterFor again for the limit of key, and has the key follow the answer before Refresh
// returns, as [Engine.Reconfigure] does for all keys. If the answer cannot be used, the key keeps its
// limit. Refresh does not make key known. Without LimiterFor, Refresh does nothing.
func (e *Engine) Refresh(key string) {
	defer e.revision.Add(1)
	e.refreshed.Add(1) // whoever has asked for the limit of a key that is not born yet asks again
	for e.settings.Load().shared == nil {
		if c, known := e.system.Find(key); known {
			p, err := e.settings.Load().policyFor(key)
			if err != nil {
				return
			}
			m := guard.Message{Kind: guard.Refresh, Policy: p, Request: e.behavior.Request()}
			if !errors.Is(e.command(c, &m, func(*guard.Cell) (*guard.Cell, error) { return e.known(key) }), errUnknown) {
				e.changed(e.system.Now(), key)
				return
			}
		}
		now, known := e.system.Now(), true
		e.system.Still(func() {
			if _, known = e.system.Find(key); !known {
				e.behavior.ForgetLimits(key, now)
			}
		})
		if !known {
			e.changed(now, key)
			return
		}
	}
}

// Revision returns a number that is another one after each [Engine.Reconfigure] and [Engine.Refresh]. Whoever keeps
// a copy of limits or of the Config reads them again when the number has changed.
func (e *Engine) Revision() uint64 { return e.revision.Load() }

// Limits returns the limits of Config.Limiter, in the order of limiter.All. Without a limiter it is empty.
// [Key.Limits] returns those of a key that Config.LimiterFor gives limits of its own.
func (e *Engine) Limits() limiter.Limits {
	return append(limiter.Limits(nil), e.settings.Load().limits...)
}

// Limits returns the limits of the key, in the order of limiter.All; in a [Chain], those of the first key. If
// the key is not known, Config.LimiterFor is asked. The error is a *ConfigError if its answer cannot be
// used.
func (k Key) Limits() (limiter.Limits, error) {
	st := k.eng.settings.Load()
	if c, known := k.eng.system.Find(k.key); known && st.shared == nil {
		if p := c.Published.Policy(); !p.Stale() {
			return append(limiter.Limits(nil), p.Limits...), nil
		}
	}
	p, err := st.policyFor(k.key)
	if err != nil {
		return nil, err
	}
	return append(limiter.Limits(nil), p.Limits...), nil
}
