package guard

import (
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/limitpal/limitpal-go/limiter"
)

// Version is the rules of an engine from one change to the next. A key follows a policy of a version
// until an actor or a sweep brings the key up to date. That counts as of the instant of the change.
type Version struct {
	shared   *Policy // of every key; nil if each key has limits of its own
	template *Policy // of policies with other limits

	since int64        // the change came at this instant or later; set by Install, never changed after that
	moves bool         // whether limits changed; likewise
	at    atomic.Int64 // the instant of the change; 0 before Date, and for the first version
	next  atomic.Pointer[Version]

	births atomic.Pointer[births] // replaced under the lock of births; nil for the first version

	own     sync.Mutex
	known   map[uint64]weak.Pointer[Policy] // the policies of keys with limits of their own, by a hash of the limits
	longest int64                           // ns; from empty to full, of all policies, and of those before that keys may still follow
}

// births says how the keys of a version are born. It does not change.
type births struct {
	was     *Version       // the version before, from Install to Date; else nil
	fullAts []int64        // of a key that was full at the change; nil if every key is born full
	rests   []limiter.Rest // of fullAts
}

// how returns how keys of v are born.
func (v *Version) how() births {
	if b := v.births.Load(); b != nil {
		return *b
	}
	return births{}
}

// limitsSeed is that of the hashes of limits.
var limitsSeed = maphash.MakeSeed()

// hashOf returns a hash of limits.
func hashOf(limits limiter.Limits) uint64 {
	var h maphash.Hash
	h.SetSeed(limitsSeed)
	for _, l := range limits {
		maphash.WriteComparable(&h, l)
	}
	return h.Sum64()
}

// Prepare returns the version in which p decides every key or, if each key has limits of its own, in
// which [Version.PolicyWith] does. Prepare keeps p. The version is in force from [Behavior.Install] on.
func (b *Behavior) Prepare(p *Policy, perKey bool) *Version {
	v := &Version{template: p}
	p.compile(v, b.generation)
	if !perKey {
		v.shared = p
	}
	v.longest = p.longest()
	return v
}

// Shared returns the policy of every key, or nil if each key has limits of its own.
func (v *Version) Shared() *Policy { return v.shared }

// PolicyWith returns the policy of a key with limits of its own. Keys with the same limits share one.
func (v *Version) PolicyWith(limits limiter.Limits) *Policy {
	v.own.Lock()
	defer v.own.Unlock()
	h := hashOf(limits)
	if p := v.known[h].Value(); p != nil && slices.Equal(p.Limits, limits) {
		return p
	}
	p := v.template.with(limits)
	v.longest = max(v.longest, p.longest())
	if v.known == nil {
		v.known = make(map[uint64]weak.Pointer[Policy])
	}
	v.known[h] = weak.Make(p)
	runtime.AddCleanup(p, v.forget, h)
	return p
}

// forget removes a policy that no key has any more, by the hash of its limits.
func (v *Version) forget(h uint64) {
	v.own.Lock()
	defer v.own.Unlock()
	if v.known[h].Value() == nil {
		delete(v.known, h)
	}
}

// longest returns the longest time from empty to full of a bucket.
func (p *Policy) longest() (longest int64) {
	for i := range p.Limits {
		longest = max(longest, int64(p.Limits[i].Burst()))
	}
	return longest
}

// fillsWithin returns the longest time from empty to full of a bucket of v.
func (v *Version) fillsWithin() int64 {
	v.own.Lock()
	defer v.own.Unlock()
	return v.longest
}

// Current returns the version in force.
func (b *Behavior) Current() *Version { return b.current.Load() }

// Install puts v into force, at the instant at or later. The caller holds the lock of births. No debit by the
// version before is made at a reading of the clock that is taken after Install. So the caller takes one, and
// calls [Behavior.Date] with it and then [Behavior.Settle], before the next Install.
func (b *Behavior) Install(v *Version, at int64) {
	was := b.current.Load()
	v.since = at
	v.births.Store(&births{was: was})
	longest := was.fillsWithin()
	if v.shared == nil { // a key that nobody asks for stays as it was
		v.own.Lock()
		v.longest = max(v.longest, longest)
		v.own.Unlock()
	}
	v.moves = was.shared == nil || v.shared == nil || !slices.Equal(was.shared.Limits, v.shared.Limits)
	if v.moves {
		b.sketch.change(at, longest)
	}
	if was.template.Breaks() != v.template.Breaks() {
		b.sketch.forgetTrips()
	}
	was.next.Store(v)
	b.current.Store(v)
}

// Date says as of when v, which has been installed, is in force. Before that, a turn that brings its key up to date
// does so as of its own reading of the clock, and so does a birth; other keys stay as they are. The caller
// holds the lock of births.
func (b *Behavior) Date(v *Version, at int64) {
	fullAts, rests := v.bornFull(v.how().was, at)
	if v.moves { // else the date could be taken for that of an earlier change at the same instant
		b.sketch.date(v.since, at)
	}
	v.births.Store(&births{fullAts: fullAts, rests: rests})
	v.at.Store(at)
}

// bornFull returns the full-ats at the instant at, which is that of the change from was to v, of a key that was
// full before; nil if every key is born full.
func (v *Version) bornFull(was *Version, at int64) ([]int64, []limiter.Rest) {
	if was.shared == nil || v.shared == nil {
		return nil, nil
	}
	fullAts := make([]int64, max(1, len(was.shared.Limits)))
	was.bear(fullAts, at)
	return was.shared.Limits.Convert(v.shared.Limits, fullAts, was.how().rests, at)
}

// undated reports whether the key of g follows an older version than the one in force, of which Date has not been
// told yet. The caller holds the lock of births.
func (b *Behavior) undated(g *Gate) bool {
	v := b.current.Load()
	return v.how().was != nil && g.posted.Load().policy.version != v
}

// Settle ends what Install has begun and needs no lock of births for.
func (b *Behavior) Settle() { b.sketch.settle() }

// bear makes fullAts those of a key that is born at now: full but for what a key that was full before the
// change would lack.
func (v *Version) bear(fullAts []int64, now int64) {
	how := v.how()
	full := how.fullAts
	if how.was != nil {
		full, _ = v.bornFull(how.was, max(now, v.since))
	}
	for i := range fullAts {
		fullAts[i] = now
		if i < len(full) && !Planted("a key evicted and born with more than it had") {
			fullAts[i] = max(now, full[i])
		}
	}
}

// Stale reports whether a newer version than that of p is in force.
func (p *Policy) Stale() bool { return p.version.next.Load() != nil }

// adopt brings a key up to date. The actor owns the key's gate. The key follows each version since its
// policy's, one after the other. Where each key has limits of its own, own is the policy of the key in
// own's version, or nil if that is not known. In other such versions the key keeps its limits. With again,
// own takes the place of a policy of the same version, as of now. adopt returns now or, if that is later, the
// instant of the last change: the turn is behind the change.
func (b *Behavior) adopt(now int64, s *State, own *Policy, again bool) int64 {
	for v := s.policy.version.next.Load(); v != nil; v = v.next.Load() {
		at := v.at.Load()
		if at == 0 { // then no debit by the version before is later than now
			at = max(now, v.since)
		}
		if now = max(now, at); v.shared != nil {
			b.follow(s, v.shared, at)
		} else if own != nil && own.version == v {
			b.follow(s, own, own.asOf(at, now))
		}
	}
	if again && own != nil && own != s.policy && own.version == s.policy.version {
		b.follow(s, own, now)
	}
	return now
}

// asOf returns the instant as of which a key that has limits of its own follows p at now: that of the change. But if a
// window of p has begun since, the tokens that the key has taken by its limits of before count in that window: now.
func (p *Policy) asOf(change, now int64) int64 {
	if p.windows && p.Limits.Begun(now) > change {
		return now
	}
	return change
}

// follow changes the policy of a key as of the instant at. Failures that count then, an open breaker and waiters
// stay.
func (b *Behavior) follow(s *State, p *Policy, at int64) {
	was := s.policy
	s.policy = p
	switch {
	case slices.Equal(was.Limits, p.Limits):
	case Planted("a policy that changes and leaves full-at as it was") && len(p.Limits) == len(was.Limits):
	default:
		s.fullAts, s.rests = was.Limits.Convert(p.Limits, s.fullAts, s.rests, at)
		if Planted("a change that raises the tokens") {
			s.fullAts[0] = max(at, s.fullAts[0]-int64(time.Millisecond))
		}
		if Planted("a change that fills the bucket") {
			s.fullAts[0] = at
		}
	}
	if was.Breaks() != p.Breaks() {
		s.circuit.Renew(p.rules)
	} else {
		s.circuit.Follow(was.rules, p.rules, at)
	}
	if s.queue != nil {
		if s.queue.follow(p.Limits, at); s.Waiters() == 0 {
			s.queue = nil // all of them asked for too much
		}
	}
}

// follow has the waiters wait for other limits from the instant at on. Then none of them can be sure of
// the wait that was foreseen when it came. A waiter that asks for more than can ever be there is refused.
func (q *queue) follow(limits limiter.Limits, at int64) {
	q.shared, q.uneven, q.moved = true, true, max(q.moved, at)
	q.scratch = make([]int64, 2*(len(limits)+1))
	for _, r := range q.all() {
		if !limits.Holds(r.demand.Tokens) {
			q.leave(r, at)
			r.refuse(limiter.ErrExceedsCapacity, 0)
		}
	}
	q.plain.follow(limits)
	for _, w := range q.known {
		w.follow(limits)
	}
}
