package engine

import (
	"slices"

	"github.com/limitpal/limitpal-go/breaker"
)

// naiveWindow is the calls in the window of a closed breaker: a list of those that have ended.
type naiveWindow struct {
	begun  bool  // with the first outcome; until then no success is counted without a message
	number int   // of windows that have begun or been dropped
	newest int64 // the slice of the newest admission, failure or slow call
	calls  []naiveEnd
	total  int64 // calls since the window began; of a window of calls alone
	fresh  int64 // successes in the newest slice
	marks  int   // of calls
}

// naiveEnd is the end of a call.
type naiveEnd struct {
	slice        int64
	failed, slow bool
}

// open begins the slice of now, if now is after the newest slice: a call is let through.
func (v *naiveWindow) open(r *naiveRules, now int64) {
	if v.begun && now/r.width > v.newest {
		v.newest, v.fresh = now/r.width, 0
	}
}

// begin begins the window with the first outcome.
func (v *naiveWindow) begin(r *naiveRules, now int64) {
	if !v.begun {
		*v = naiveWindow{begun: true, number: v.number + 1, newest: now / r.width}
	}
}

// drop drops all that the window holds.
func (v *naiveWindow) drop() { *v = naiveWindow{number: v.number + 1} }

// succeed counts a success that was not slow. The success is in the newest slice, whenever it comes.
func (v *naiveWindow) succeed(r *naiveRules, now int64) {
	if r.rated() {
		v.begin(r, now)
		v.add(r, naiveEnd{slice: v.newest})
	}
}

// mark counts a failure or a slow call, and reports whether that opens the breaker.
func (v *naiveWindow) mark(r *naiveRules, now int64, failed, slow bool) bool {
	if !r.rated() {
		return false
	}
	v.begin(r, now)
	v.open(r, now)
	v.add(r, naiveEnd{v.newest, failed, slow})
	n := v.count(r, now)
	share := func(some int) float64 { return float64(some) / float64(n.Calls) }
	return n.Calls >= r.minCalls && (failed && r.failure > 0 && share(n.Failures) >= r.failure || slow && r.slow > 0 && share(n.Slow) >= r.slow)
}

// add adds a call, and drops those that have left the window for good.
func (v *naiveWindow) add(r *naiveRules, e naiveEnd) {
	v.calls = append(v.calls, e)
	v.total++
	if e.failed || e.slow {
		v.marks++
	} else {
		v.fresh++
	}
	v.slide(r, 0)
}

// slide drops the calls that have left the window at now.
func (v *naiveWindow) slide(r *naiveRules, now int64) {
	for len(v.calls) > 0 && (r.calls > 0 && len(v.calls) > r.calls || r.calls == 0 && v.calls[0].slice < v.oldest(r, now)) {
		if v.calls[0].failed || v.calls[0].slow {
			v.marks--
		}
		v.calls = v.calls[1:]
	}
}

// oldest is the oldest slice in the window at now.
func (v *naiveWindow) oldest(r *naiveRules, now int64) int64 { return max(v.newest, now/r.width) - 9 }

// leave has the failures and slow calls leave that are not in the window any more at now.
func (v *naiveWindow) leave(r *naiveRules, now int64) {
	if v.marks > 0 && r.calls == 0 && v.calls[0].slice < v.oldest(r, now) {
		v.forget(r, v.oldest(r, now))
	}
}

// forget forgets the failures and slow calls of the slices before the given one. In a window of calls they stay calls.
func (v *naiveWindow) forget(r *naiveRules, before int64) {
	if v.marks == 0 {
		return
	}
	was := v.calls
	v.calls, v.marks = nil, 0
	for _, e := range was {
		marked := e.failed || e.slow
		if marked && e.slice < before && r.calls > 0 {
			e.failed, e.slow, marked = false, false, false
		}
		switch {
		case !marked:
			v.calls = append(v.calls, e)
		case e.slice >= before:
			v.calls = append(v.calls, e)
			v.marks++
		}
	}
}

// count counts the calls in the window at now.
func (v *naiveWindow) count(r *naiveRules, now int64) (n breaker.Counts) {
	if !v.begun {
		return n
	}
	for _, e := range v.calls {
		if r.calls == 0 && e.slice < v.oldest(r, now) {
			continue
		}
		n.Calls++
		if e.failed {
			n.Failures++
		}
		if e.slow {
			n.Slow++
		}
	}
	return n
}

// marked reports whether a failure or a slow call is in the window at now.
func (v *naiveWindow) marked(r *naiveRules, now int64) bool {
	if v.marks == 0 {
		return false
	}
	n := v.count(r, now)
	return n.Failures > 0 || n.Slow > 0
}

// inNewest is the number of successes in the newest slice or, in a window of calls, of all calls.
func (v *naiveWindow) inNewest(r *naiveRules) int64 {
	if r.calls > 0 {
		return v.total
	}
	return v.fresh
}

// isOver reports whether every slice has left the window at now.
func (v *naiveWindow) isOver(r *naiveRules, now int64) bool {
	return v.begun && now/r.width-v.newest >= 10
}

// follow has the window go on by other rules, as of the instant at. The calls of a slice are then in the slice in
// which the old one ended, or in which the change came.
func (v *naiveWindow) follow(was, is *naiveRules, at int64) {
	switch {
	case !v.begun || was.rated() == is.rated() && was.calls == is.calls && was.width == is.width:
		return
	case !is.rated() || (was.calls > 0) != (is.calls > 0):
		v.drop()
		return
	}
	v.slide(was, at)
	v.number++
	if is.calls > 0 {
		v.total, v.newest = int64(len(v.calls)), at/is.width
		v.slide(is, at)
		return
	}
	slice := func(old int64) int64 { return min(old*was.width+was.width-1, at) / is.width }
	v.newest, v.calls, v.fresh = slice(v.newest), slices.Clone(v.calls), 0
	for i := range v.calls {
		v.calls[i].slice = slice(v.calls[i].slice)
	}
	v.slide(is, at)
	for _, e := range v.calls { // the newest slice may have left the window
		if e.slice == v.newest && !e.failed && !e.slow {
			v.fresh++
		}
	}
}
