package engine

import (
	"context"
	"errors"
	"time"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// Explanation says how a call would fare; see [Key.Explain].
type Explanation struct {
	Passes     bool             // whether every key would let the call through at once
	RetryAfter time.Duration    // until every key would, if nothing else came; 0 if they do now, or if no time is known
	Ahead      int              // callers that wait in the queues of the keys
	Keys       []KeyExplanation // of each key, from narrow to wide
}

// KeyExplanation is the part of one key in an [Explanation].
type KeyExplanation struct {
	Engine string // Config.Name
	Key    string
	Passes bool // whether this key would let the call through at once
	// Stage is the stage that would refuse the call or have it wait; empty if the key lets the call through, or
	// if its engine is closed.
	Stage      Stage
	RetryAfter time.Duration // as in Explanation, for this key alone
}

// Explain says how a call made now through k would fare, and why: for a person who looks for the reason of refusals, not
// for code that decides by it, since another call may come in between. Explain takes nothing, counts as no use,
// makes no key known, and wakes a waiting caller no sooner.
//
// Passes is false for a call that would wait in a queue. Then Stage is LimiterStage, and RetryAfter how long the call
// would wait. A key of an engine with Config.Shadow says how it would decide; Explanation.Passes and RetryAfter leave
// it out. Explain does not foresee ErrKeyLimit, nor a call in the function of a probe. If k cannot be
// used, or Config.LimiterFor gives a limit that cannot be, Passes is false and no stage is named.
func (k Key) Explain() Explanation {
	links := []link{{eng: k.eng, place: k.place, tokens: 1}}
	if ch := k.chain; ch != nil {
		if ch.err != nil {
			return Explanation{}
		}
		links = ch.links
	}
	if k.stay < guard.NoStay {
		return Explanation{}
	}
	c := call{links: links, got: make([]share, len(links))}
	for i := range c.got {
		c.got[i].tokens = links[i].tokens
	}
	w := callFor(k.stay)
	x := Explanation{Passes: true}
	for i := range links {
		part, ahead := c.explain(i, &w)
		x.Keys = append(x.Keys, part)
		x.Ahead += ahead
		if !links[i].eng.settings.Load().shadow {
			x.Passes = x.Passes && part.Passes
			x.RetryAfter = max(x.RetryAfter, part.RetryAfter)
		}
	}
	if len(links) > 1 && !x.Passes {
		after, ok := c.earliest(&w)
		if x.RetryAfter = time.Duration(after); !ok {
			x.RetryAfter = 0
		}
	}
	return x
}

// explain is Explain for link i; ahead is the number of callers that wait.
func (c *call) explain(i int, w *guard.Demand) (x KeyExplanation, ahead int) {
	l := &c.links[i]
	e := l.eng
	x = KeyExplanation{Engine: e.name, Key: l.key}
	d := c.demand(i, w)
	if e.ended.Load() {
		return x, 0
	}
	if x.Passes = !e.asks(e.settings.Load(), l.key, &d); x.Passes {
		return x, 0
	}
	now, a, ahead := e.explained(l, &d)
	x.Passes = a.Err == nil && a.At > 0
	if a.Err != nil {
		x.Stage = stageOf(a.Err)
		if a.At > 0 && a.At != guard.Never {
			x.RetryAfter = time.Duration(max(1, a.At-now))
		}
	}
	return x, ahead
}

// explained has a call for the key of l explained by the notice or the gate of its cell, by the actor or, if there is no
// cell, by the engine's memory of the key. Where nothing is known Answer.At is 0.
func (e *Engine) explained(l *link, d *guard.Demand) (now int64, a guard.Answer, ahead int) {
	var waiting guard.Snapshot
	m := guard.Message{Kind: guard.Explain, Demand: *d, Until: guard.Never}
	if c, known := e.system.Find(l.key); known {
		g := &c.Published
		if n := g.Posted(); d.Breaker && n.Refuses() && !n.Policy().Stale() {
			if now = e.system.Now(); now < n.Until() {
				return now, guard.Answer{Err: n.Reason(), At: n.At()}, 0
			}
		}
		switch ruling, now, at := g.Look(e.system, g.Policy(), d); ruling {
		case guard.Admitted:
			if n := g.Posted(); d.Breaker && n.Policy().Bounded() && n.Full() {
				return now, guard.Answer{Err: limiter.ErrInFlight}, 0
			}
			return now, guard.Answer{At: now}, 0
		case guard.Limited:
			return now, guard.Answer{Err: limiter.ErrLimited, At: at}, 0
		}
		r := e.behavior.Request()
		r.Snapshot, m.Request = &waiting, r
		err := e.catchUp(c, &m)
		if err != nil {
			e.behavior.Release(r)
			return 0, guard.Answer{Err: err}, 0
		}
		_, a, err = e.inquire(context.Background(), c, &m, func(*guard.Cell) (*guard.Cell, error) { return e.known(l.key) })
		switch {
		case err == nil:
			return e.system.Now(), a, waiting.Waiting
		case !errors.Is(err, errUnknown): // the engine has ended
			return 0, guard.Answer{Err: err}, 0
		}
	}
	p, err := e.settings.Load().policyFor(l.key)
	if err != nil {
		return 0, guard.Answer{Err: err}, 0
	}
	now = e.system.Now()
	m.Request = &guard.Request{Snapshot: &waiting}
	return now, e.behavior.ExplainUnknown(now, l.key, p, &m), 0
}
