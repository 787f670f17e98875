package engine

import (
	"fmt"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// longestChain is the most keys of a chain.
const longestChain = 8

// Chain returns a Key for calls that concern several keys, from narrow to wide: a user's limit, a
// tenant's, the breaker of an upstream. A call through the Key passes only if every key lets it pass. If
// one of them is sure to refuse, nothing is taken from any; a token that was taken before another key
// refused is given back, exactly or not at all (Stats.KeptSpent). docs/chains.md has the rules.
//
// A member may be a chain. There are at most 8 keys, each of another engine, and the engines have the
// same Clock; otherwise every use of the Key returns a *ConfigError, and Allow is false.
//
// The call is tried again by the policy of the first engine that has one, and each attempt takes tokens
// from every key again, except from engines with Config.PerCall. Each breaker judges an attempt by the
// Classify of its own engine. [Engine.Close] of one engine refuses the calls of the chain, wakes those
// that wait, and waits for those that [GoKey] started. NoWait and Within of a member hold for the call,
// until the chain has its own; Config.MaxWait bounds the stay in the queue of its own engine. Inspect, Reset and String
// concern the first key.
//
// Callers that wait for a wide key are served in turn, one of each next narrower key, and
// Config.MaxQueue counts for each of these alone.
func Chain(narrow Key, wider ...Key) Key {
	c := &chain{}
	c.links = c.room[:0]
	k := narrow
	if k.chain = c; k.handle == nil {
		k.handle = new(handle) // the zero Key, which add refuses
	}
	c.add(narrow)
	for _, w := range wider {
		c.add(w)
		k.stay = tighterStay(k.stay, w.stay)
	}
	return k
}

// tighterStay returns the stay that two keys of a chain allow together. A stay that is an error wins.
func tighterStay(a, b int64) int64 {
	switch {
	case a < 0 || b < 0: // NoStay, or below that an error
		return min(a, b)
	case a == guard.AsLong:
		return b
	case b == guard.AsLong:
		return a
	default:
		return min(a, b)
	}
}

// chain is the keys of a [Chain]. It does not change once Chain has returned.
type chain struct {
	links []link
	gated bool  // whether a call may be decided at the gates: there is room for what it takes
	err   error // why the chain cannot be used
	room  [3]link
}

// link is a key of a chain, or the key of a plain call.
type link struct {
	eng *Engine
	place
	tokens int64         // of the key that a call takes; at least 1
	self   guard.Origin  // this key, as the origin of calls for the next wider one
	from   *guard.Origin // the next narrower key; nil for the first
	// What to add to a reading of the first engine's clock for one of this engine's, if it never changes.
	offset   int64
	constant bool
}

// add appends the keys of k.
func (c *chain) add(k Key) {
	if k.chain != nil {
		if k.chain.err != nil {
			c.misuse(k.chain.err)
		}
		for i := range k.chain.links {
			c.link(k.chain.links[i])
		}
		return
	}
	c.link(k.link(1))
}

// weighing is Key.Cost. A key with a cost is a chain, also if it is alone: the calls of a plain key need not ask for
// their cost.
func (k Key) weighing(n int) Key {
	was := k.chain
	if k.handle == nil { // the zero Key
		k.handle = new(handle)
	}
	k.chain = &chain{}
	k.chain.links = k.chain.room[:0]
	if was == nil {
		k.chain.link(k.link(int64(n)))
		return k
	}
	if bad, ok := was.err.(*ConfigError); !ok || bad.Field != "Cost" { //nolint:errorlint // made by misuse; link finds bad costs anew
		k.chain.err = was.err
	}
	for i, l := range was.links {
		if i == 0 {
			l.tokens = int64(n)
		}
		k.chain.link(l)
	}
	return k
}

// link returns the link of a key that is no chain. The link of the zero Key has no engine.
func (k Key) link(tokens int64) link {
	if k.handle == nil {
		return link{tokens: tokens}
	}
	return link{eng: k.eng, place: k.place, tokens: tokens}
}

// cost returns the tokens of the first key that a call takes.
func (k *Key) cost() int {
	if k.chain == nil || len(k.chain.links) == 0 {
		return 1
	}
	return int(k.chain.links[0].tokens)
}

// link appends a key.
func (c *chain) link(l link) {
	n := len(c.links)
	if l.eng == nil {
		c.misuse(&ConfigError{Field: fmt.Sprintf("Chain[%d]", n), Value: "Key{}", Reason: "must be a Key made by Engine.Key or Chain"})
		return
	}
	if l.tokens < 1 {
		c.misuse(&ConfigError{Field: "Cost", Value: l.tokens, Reason: "must be at least 1"})
	}
	if n == longestChain {
		c.misuse(&ConfigError{Field: "Chain", Value: fmt.Sprintf("%d keys", n+1), Reason: fmt.Sprintf("must have at most %d keys", longestChain)})
		return
	}
	for _, other := range c.links {
		if other.eng == l.eng {
			c.misuse(&ConfigError{Field: fmt.Sprintf("Chain[%d]", n), Value: shown(l.key), Reason: "must be of another engine than the keys before it"})
			return
		}
	}
	if n > 0 && !sameClock(c.links[0].eng, l.eng) {
		c.misuse(&ConfigError{Field: fmt.Sprintf("Chain[%d]", n), Value: shown(l.key), Reason: "must be of an engine with the Clock of the others"})
		return
	}
	l.self, l.from = guard.Origin{System: l.eng.system, Key: l.key}, nil
	if n > 0 {
		l.from = &c.links[n-1].self
		l.offset, l.constant = c.links[0].eng.system.Offset(l.eng.system)
	}
	c.links = append(c.links, l)
	c.gated = c.err == nil && len(c.links) <= len(c.room)
}

// retrierOf returns the first engine that has a retry policy, and its settings; or nil.
func retrierOf(links []link) (*Engine, *settings) {
	for i := range links {
		if st := links[i].eng.settings.Load(); st.retry != nil {
			return links[i].eng, st
		}
	}
	return nil, nil
}

// misuse keeps the first reason why the chain cannot be used.
func (c *chain) misuse(err error) {
	if c.err == nil {
		c.err, c.gated = err, false
	}
}

// sameClock reports whether two engines were given the same Clock, or none.
func sameClock(a, b *Engine) bool {
	return equalClocks(a.settings.Load().config.Clock, b.settings.Load().config.Clock)
}

// endedLink returns the first link whose engine has ended, or nil.
func endedLink(links []link) *link {
	for i := range links {
		if links[i].eng.ended.Load() {
			return &links[i]
		}
	}
	return nil
}

// receive receives from ch, unless done or the engine of a link ends first.
func receive[T any](ch <-chan T, done <-chan struct{}, links []link) (v T, ok bool) {
	var ends [longestChain]<-chan struct{} // a nil channel is never ready
	for i := range links {
		ends[i] = links[i].eng.closing
	}
	select {
	case v = <-ch:
		return v, true
	case <-done:
	case <-ends[0]:
	case <-ends[1]:
	case <-ends[2]:
	case <-ends[3]:
	case <-ends[4]:
	case <-ends[5]:
	case <-ends[6]:
	case <-ends[7]:
	}
	return v, false
}
