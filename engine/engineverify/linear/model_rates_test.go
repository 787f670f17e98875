package linear_test

import "github.com/limitpal/limitpal-go/engine"

// rates is the part of a policy that judges shares of the calls in a window: of the last so many calls,
// or of ten slices of so many ticks.
type rates struct {
	failureRate, slowRate  float64
	slowAfter              int // ticks
	slice, calls, minCalls int // slice or calls is 0
}

// rated reports whether the breaker judges by rates.
func (r *rules) rated() bool {
	return r.breaker != nil && (r.breaker.failureRate > 0 || r.breaker.slowRate > 0)
}

// window is the calls that a closed breaker judges. It begins with the first outcome that counts in a
// period.
//
// With gates, a success has several instants. The caller looks whether the actor has to hear of the
// success (atOnce), looks which slice is the newest, and adds one to that slice. A turn may come in
// between, and other callers may begin slices. So a success that is counted at the gate may leave the
// failures in a row as they are although one of them came before it, if the report of that failure was
// under way at the same time. And it may be in any slice that was the newest while it was reported,
// the newest that calls had begun which had returned before at the earliest. A turn that counts a
// failure in a window of calls gives it a number, and then looks at the window. A success may come in
// between: it is one of the calls that are judged, and is numbered behind the failure.
//
// Without gates all this is one turn, and so it is in a window of its own: see exact.
type window struct {
	counts       bool
	now          int // the slice of the present
	newest, sure int // the newest slice, and the one that every success knows which is reported from now on
	opened       [4]opening
	slices       [10]slice // by their numbers
	calls        [6]called // from old to new
	n            int8      // of calls
}

// opening is that a slice has begun. Successes that are reported after the instant ret know it.
type opening struct {
	slice int
	ret   int64
}

// slice is the calls of a slice: successes, and the others in three counts.
type slice struct{ fine, marked, failed, slow int8 }

// called is a call in a window of calls. A failure whose report began before the instant until may be
// numbered before the call.
type called struct {
	failed, slow bool
	until        int64
}

// counted are the calls in the window.
type counted struct{ calls, failures, slow int }

// exact reports whether the actor alone counts, in its turns. With several limits the gate is never free, and
// the actor hears of each success if failures in a row open the breaker.
func (r *rules) exact() bool {
	return !r.published || len(r.limits) > 1 && r.breaker != nil && r.breaker.threshold > 0
}

// free reports whether callers may take tokens at the gate.
func (r *rules) free(s *state) bool {
	return r.published && len(r.limits) <= 1 && s.waiting == 0 && !s.opened() && !s.forced.on
}

// start begins the window with the first outcome.
func (r *rules) start(s *state) {
	w := &s.circuit.window
	if w.counts {
		return
	}
	if w.counts = true; r.breaker.slice > 0 {
		w.now = s.now / r.breaker.slice
		w.newest, w.sure = w.now, w.now
	}
}

// slide moves a window of time on to the present.
func (r *rules) slide(s *state) {
	w := &s.circuit.window
	if !r.rated() || !w.counts || r.breaker.slice == 0 {
		return
	}
	now := s.now / r.breaker.slice
	for number := max(w.now+1, now-len(w.slices)+1); number <= now; number++ {
		w.slices[number%len(w.slices)] = slice{}
	}
	w.now = now
	w.newest, w.sure = max(w.newest, w.past()), max(w.sure, w.past())
	w.forget()
}

// past is the number of the slice that has left the window last.
func (w *window) past() int { return w.now - len(w.slices) }

// begin is the beginning of the present slice: a call is let through, or fails. The callers of the
// gate know that from the return of o on.
func (r *rules) begin(s *state, o *operation) {
	w := &s.circuit.window
	if !r.rated() || !w.counts || r.breaker.slice == 0 {
		return
	}
	if o.kind != count {
		r.slide(s)
	}
	w.newest = w.now
	if r.exact() {
		w.sure = w.now
		return
	}
	known := opening{w.now, o.ret}
	if o.kind != count && o.kind != leave && r.free(s) { // at the gate, by a reading of the clock that came first
		known.slice = min(w.now, o.floor/r.breaker.slice)
	}
	w.know(known)
}

// know takes note of an opening.
func (w *window) know(is opening) {
	for i := range w.opened {
		if was := &w.opened[i]; was.slice >= is.slice && was.ret <= is.ret && was.ret != 0 {
			return
		}
	}
	least := &w.opened[0]
	for i := range w.opened {
		if was := &w.opened[i]; was.slice <= is.slice && was.ret >= is.ret {
			*was = opening{}
		}
		if was := &w.opened[i]; was.ret == 0 || least.ret != 0 && was.slice < least.slice {
			least = was
		}
	}
	*least = is
	w.forget()
}

// forget drops the openings of slices that every success knows, and sorts the others.
func (w *window) forget() {
	for i := range w.opened {
		if w.opened[i].slice <= w.sure {
			w.opened[i] = opening{}
		}
		for ; i > 0 && w.opened[i].slice > w.opened[i-1].slice; i-- {
			w.opened[i], w.opened[i-1] = w.opened[i-1], w.opened[i]
		}
	}
}

// known is the newest slice that a success knows at least which was reported at the instant call.
func (w *window) known(call int64) int {
	is := w.sure
	for _, o := range w.opened {
		if o.ret != 0 && o.ret < call {
			is = max(is, o.slice)
		}
	}
	return is
}

// succeed counts the success that o reports, so many slices before the newest.
func (r *rules) succeed(s *state, o *operation, back int) bool {
	if !r.rated() {
		return back == 0
	}
	r.start(s)
	w := &s.circuit.window
	if r.breaker.slice > 0 {
		if at := w.newest - back; at > w.past() {
			w.slices[at%len(w.slices)].fine++
		}
		return back <= r.slack(s, o)
	}
	c := called{}
	if !r.exact() && !o.clean {
		c.until = o.ret
	}
	w.insert(c, 0, r.breaker.calls)
	return back == 0
}

// place counts a failure or a slow call that o reports, in a window of calls before so many successes.
func (r *rules) place(s *state, o *operation, t ticket, back int) (in counted, ok bool) {
	if !r.rated() {
		return in, back == 0
	}
	r.start(s)
	w, failed := &s.circuit.window, t.outcome == engine.Failure
	if r.breaker.slice > 0 {
		r.begin(s, &operation{kind: count, ret: o.ret})
		one := &w.slices[w.now%len(w.slices)]
		if one.marked++; failed {
			one.failed++
		}
		if t.slow {
			one.slow++
		}
		return w.count(), back == 0
	}
	if back > r.slack(s, o) {
		return in, false
	}
	w.insert(called{failed: failed, slow: t.slow}, back, r.breaker.calls)
	return w.count(), true
}

// insert puts a call before the last so many of a window of at most most calls.
func (w *window) insert(c called, back, most int) {
	at := int(w.n) - back
	switch full := int(w.n) == most; {
	case full && at == 0:
		return // it leaves the window at once
	case full:
		copy(w.calls[:], w.calls[1:at])
		at--
	default:
		copy(w.calls[at+1:], w.calls[at:w.n])
		w.n++
	}
	if w.calls[at] = c; c.failed || c.slow {
		for i := range w.calls[:at+1] {
			w.calls[i].until = 0
		}
	}
}

// slack is how far from the end o may count, if it is a success or, in a window of calls, if not.
func (r *rules) slack(s *state, o *operation) (n int) {
	w := &s.circuit.window
	switch {
	case r.exact() || !w.counts:
		return 0
	case r.breaker.slice > 0:
		return w.newest - max(w.known(o.call), w.past())
	}
	for i := int(w.n) - 1; i >= 0 && w.calls[i].until > o.call; i-- {
		n++
	}
	return n
}

// count counts the calls in the window.
func (w *window) count() (in counted) {
	in.calls = int(w.n)
	for _, c := range w.calls[:w.n] {
		if c.failed {
			in.failures++
		}
		if c.slow {
			in.slow++
		}
	}
	for _, one := range w.slices {
		in.calls += int(one.fine + one.marked)
		in.failures += int(one.failed)
		in.slow += int(one.slow)
	}
	return in
}

// marked reports whether a failure or a slow call is in the window.
func (w *window) marked() bool {
	in := w.count()
	return in.failures > 0 || in.slow > 0
}

// forgive forgets the failures and slow calls. In a window of calls they stay calls.
func (w *window) forgive() {
	for i := range w.slices {
		w.slices[i] = slice{fine: w.slices[i].fine}
	}
	for i := range w.calls {
		w.calls[i].failed, w.calls[i].slow = false, false
	}
}

// tooMany reports whether so many calls open the breaker with the call of t.
func (p *policy) tooMany(in counted, t ticket) bool {
	reaches := func(n int, rate float64) bool {
		return rate > 0 && in.calls >= p.minCalls && float64(n) >= rate*float64(in.calls)
	}
	return t.outcome == engine.Failure && reaches(in.failures, p.failureRate) || t.slow && reaches(in.slow, p.slowRate)
}
