package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// settings are the configuration in force from one [Engine.Reconfigure] to the next. Settings do not
// change.
type settings struct {
	config      Config
	version     *guard.Version
	shared      *guard.Policy  // of every key; nil with Config.LimiterFor
	limits      limiter.Limits // of Config.Limiter
	zero        time.Time      // the instant 0, from which windows are counted
	retry       *retry.Policy  // nil: no retries
	maxElapsed  int64          // ns, of retry; 0: no bound
	perCall     bool
	shadow      bool
	latency     *measured // of Config.Latency; else nil
	watched     bool      // whether there is a Trace, or latency
	limited     bool      // whether a key may have a limit
	breaks      bool      // whether a key may have a breaker
	timeLimited bool      // whether there is a Timeout or an AttemptTimeout
	slow        bool      // whether the breaker judges slow calls
	bounded     bool      // whether calls take places
	apart       bool      // whether there is that, or Shadow

	gated   bool // whether a token may be taken at a key's gate: Published, not more limits than one, no Shadow
	placed  bool // whether a place and a token may be
	timed   bool // whether that may be, and a time limit
	plain   bool // whether that may be all there is to a call for one key; false once the engine has ended
	chained bool // whether it may be all there is to a call for several keys; then no clock is to be read later
}

// newSettings returns the settings of c, which has been compiled to policy.
func (e *Engine) newSettings(c Config, policy *guard.Policy) *settings {
	c = c.clone()
	policy.Refuse, policy.Limits = e.refuse, policy.Limits.Anchor(e.timeOf(0))
	st := &settings{config: c, limits: policy.Limits, zero: e.timeOf(0), retry: c.Retry, perCall: c.PerCall, shadow: c.Shadow}
	if c.LimiterFor == nil {
		st.shared = policy
	}
	if st.retry != nil {
		st.maxElapsed = int64(st.retry.MaxElapsed)
	}
	if c.Latency {
		e.latency.CompareAndSwap(nil, new(measured))
		st.latency = e.latency.Load()
	}
	st.watched = c.Latency || c.Trace != nil
	published := c.Dispatch == Published && !c.Shadow
	st.limited, st.breaks = st.shared == nil || len(policy.Limits) > 0, policy.Breaks()
	st.slow = policy.Breaks() && policy.Breaker.SlowRate > 0
	st.timeLimited = c.Timeout > 0 || c.AttemptTimeout > 0
	st.bounded = policy.Bounded()
	st.apart = st.bounded || c.Shadow
	concerns := st.limited || st.breaks || st.bounded
	st.gated = published && concerns && (st.shared == nil || len(policy.Limits) <= 1)
	st.placed = st.gated && st.bounded && !c.PerCall && !st.watched && !st.timeLimited
	st.timed = st.gated && st.timeLimited && !c.PerCall && !st.watched
	st.plain = st.gated && !c.PerCall && !st.watched && !st.timeLimited && !st.bounded
	st.chained = (st.gated || !concerns) && !c.Shadow && st.maxElapsed == 0 && !st.watched && !st.slow && !st.timeLimited && !st.bounded
	return st
}

// concerns reports whether anything is to be asked for d.
func (st *settings) concerns(d *guard.Demand) bool {
	return st.limited || d.Breaker && (st.breaks || st.bounded)
}

// own returns the policy of a key with limits of its own, as LimiterFor says now.
func (st *settings) own(key string) (*guard.Policy, error) {
	l := st.config.LimiterFor(key)
	if l == nil {
		return st.version.PolicyWith(st.limits), nil
	}
	limits, err := limiter.Compile(l)
	if err != nil {
		return nil, errors.Join(lift(fmt.Sprintf("LimiterFor(%s)", shown(key)), err)...)
	}
	return st.version.PolicyWith(limits.Anchor(st.zero)), nil
}

// policyFor returns the policy by which key would begin.
func (st *settings) policyFor(key string) (*guard.Policy, error) {
	if st.shared != nil {
		return st.shared, nil
	}
	return st.own(key)
}

// catchUp gives a message the policy of the key of c, if that key follows an old version and has limits of its own.
func (e *Engine) catchUp(c *guard.Cell, m *guard.Message) (err error) {
	if st := e.settings.Load(); st.shared == nil && c.Published.Policy().Stale() {
		m.Policy, err = st.own(c.Key())
	}
	return err
}

// bearCell makes the cell of key; h is what the lookup returned.
func (e *Engine) bearCell(key string, h actors.Hash) (c *guard.Cell, err error) {
	for c == nil && err == nil {
		refreshed, st := e.refreshed.Load(), e.settings.Load()
		if st.shared != nil {
			c, err = e.system.Create(key, h, e.prepare)
			continue
		}
		var p *guard.Policy
		if p, err = st.own(key); err != nil {
			return nil, err
		}
		c, err = e.system.Create(key, h, func(g *guard.Gate) bool {
			g.Adopt(p)
			return e.behavior.Current() == st.version && e.refreshed.Load() == refreshed // else p may be out of date
		})
	}
	return c, err
}
