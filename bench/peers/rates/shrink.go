package rates

import "slices"

// Shortest returns a short trace on which p decides differently for the reason of one rule alone,
// and ends with the call that is decided differently. Shortest shrinks the first traces that Random
// gives with the reason, and returns the shortest.
func Shortest(p Peer, rule Rule) (shortest Trace, found bool) {
	const enough, most = 60, 6000
	n := 0
	for _, kind := range []Kind{OfTime, OfCalls, InARow} {
		if !p.Rules[kind].has(rule) || found {
			continue
		}
		for seed := uint64(0); seed < most && n < enough; seed++ {
			t, ok := cut(p, rule, Random(kind, seed))
			if !ok {
				continue
			}
			n++
			if t = shrink(p, rule, t); !found || shorter(t, shortest) {
				shortest, found = t, true
			}
		}
	}
	return shortest, found
}

// cut returns t up to the first call that p decides differently, and whether rule is the reason.
func cut(p Peer, rule Rule, t Trace) (Trace, bool) {
	if len(t.Calls) == 0 {
		return t, false
	}
	ours, theirs := Decide(t, 0), Decide(t, p.Rules[t.Kind])
	first, n := Differ(ours, theirs)
	if n == 0 || slices.Equal(Decide(t, p.Rules[t.Kind]&^Rules(rule))[:first+1], theirs[:first+1]) {
		return t, false
	}
	t.Calls = slices.Clone(t.Calls[:first+1])
	t.Calls[first] = Call{At: t.Calls[first].At}
	reason, _ := Explain(t, p.Rules[t.Kind], Decide(t, p.Rules[t.Kind]))
	return t, reason == Rules(rule)
}

// shrink changes t in small steps as long as one makes t shorter.
func shrink(p Peer, rule Rule, t Trace) Trace {
	for again := true; again; {
		again = false
		for _, next := range smaller(t) {
			if next, ok := cut(p, rule, next); ok && shorter(next, t) {
				t, again = next, true
				break
			}
		}
	}
	return t
}

// smaller returns the traces that are one step from t.
func smaller(t Trace) (all []Trace) {
	add := func(change func(n *Trace)) {
		n := t
		n.Calls = slices.Clone(t.Calls)
		change(&n)
		all = append(all, n)
	}
	for i := range t.Calls {
		add(func(n *Trace) { n.Calls = slices.Delete(n.Calls, i, i+1) })
		add(func(n *Trace) { n.Calls[i].Took = 0 })
		add(func(n *Trace) { n.Calls[i].Fails = !n.Calls[i].Fails })
		for d := 64 * Grid; d >= Grid; d /= 2 {
			if t.Calls[i].Took >= d {
				add(func(n *Trace) { n.Calls[i].Took -= d })
			}
			if t.Calls[i].At >= d && (i == 0 || t.Calls[i].At-d >= t.Calls[i-1].At) {
				add(func(n *Trace) {
					for j := i; j < len(n.Calls); j++ {
						n.Calls[j].At -= d
					}
				})
			}
		}
	}
	add(func(n *Trace) { n.MinCalls = max(1, n.MinCalls-1) })
	add(func(n *Trace) { n.Failures = max(1, n.Failures-1) })
	add(func(n *Trace) { n.Of = max(n.Failures, n.Of-1) })
	add(func(n *Trace) { n.Failures, n.Of = max(1, n.Failures-1), max(1, n.Of-1) })
	add(func(n *Trace) { n.Rate = 0.5 })
	return all
}

// shorter orders traces by what a reader has to take in.
func shorter(a, b Trace) bool { return slices.Compare(a.weight(), b.weight()) < 0 }

func (t Trace) weight() []int {
	long, took, fails, at := 0, 0, 0, 0
	for _, c := range t.Calls {
		long += min(1, int(c.Took))
		took += int(c.Took / Grid)
		at += int(c.At / Grid)
		if c.Fails {
			fails++
		}
	}
	odd := 0
	if t.Kind == OfTime && t.Rate != 0.5 {
		odd = 1
	}
	return []int{len(t.Calls), long, odd, t.MinCalls + t.Failures + t.Of, at, took, fails}
}
