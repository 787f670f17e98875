package demo

import (
	"fmt"
	"time"
)

// reformed is the reform as it went. The gateway took the new configuration over between from and
// to, which are times since the start.
type reformed struct {
	from, to time.Duration
	running  int // requests that were under way at from
}

// rate is the rate of the limit of a route, before or after the reform.
func (s script) rate(route int, after bool) int {
	if after && route == s.reform.route {
		return s.reform.rate
	}
	return s.routes[route].rate
}

// bystanders counts the answers since the reform, without those to the greedy client. Requests that
// were under way at the reform count, too.
func (s *story) bystanders() *tally {
	greedy := s.script.greedy()
	return s.tally(func(a answer) bool { return a.client != greedy && a.ended >= s.reformed.from })
}

// share is how much of the limit that the reform changed the greedy client had, in the wave of the
// reform.
type share struct {
	old, new time.Duration // of each rate, from the first request of the wave to the last answer
	passed   int           // requests that were not answered 429
	bound    float64       // the most requests that the limit may let pass
}

// wave is the beginning of the wave of the reform.
func (s *story) wave() time.Duration {
	wave := s.script.cast[s.script.greedy()].wave
	return s.reformed.from / wave * wave
}

// share takes the share of the wave of the reform, as far as the wave has been answered.
func (s *story) share() share {
	r, rule := *s.reformed, s.script.reform
	greedy, begin := s.script.greedy(), s.wave()
	end := begin + s.script.cast[greedy].wave
	var sent []answer
	first, last := r.from, begin
	for _, a := range s.answers {
		if a.client == greedy && a.route == rule.route && a.began >= begin && a.began < end {
			sent = append(sent, a)
			first, last = min(first, a.began), max(last, a.ended)
		}
	}
	var h share
	for _, a := range sent {
		if a.class != limited {
			h.passed++
		}
	}
	before, after := s.script.rate(rule.route, false), s.script.rate(rule.route, true)
	turn := r.to // between from and to the greater rate may have held
	if after > before {
		turn = r.from
	}
	turn = min(turn, max(first, last))
	h.old, h.new = turn-first, max(turn, last)-turn
	h.bound = float64(s.script.burst) + float64(before)*h.old.Seconds() + float64(after)*h.new.Seconds()
	return h
}

// limits draws the limit that the reform changes below the strip of its route.
func (s *story) limits() string {
	route := s.script.reform.route
	text := fmt.Sprintf("%d/s", s.script.rate(route, false))
	if s.reformed != nil {
		text = fmt.Sprintf("%-*s%d/s", s.cell(s.reformed.from), text, s.script.rate(route, true))
	}
	return text
}

// ruling says in two lines which limit holds, and what its change has done to the clients.
func (s *story) ruling(ink ink) string {
	route := s.script.reform.route
	name := s.script.routes[route].name
	if s.reformed == nil {
		return fmt.Sprintf("%-*s %s: %d/s per client.\n\n", margin-1, "", name, s.script.rate(route, false))
	}
	t, h := s.bystanders(), s.share()
	number := func(n int, bad bool) string {
		if bad {
			return ink.paint(red, fmt.Sprint(n))
		}
		return ink.paint(green, fmt.Sprint(n))
	}
	harmed := t.total() - t.count[answered]
	return fmt.Sprintf("%-*s %s: %d/s per client since %.1fs. Others refused or failed: %s.\n", margin-1, "",
		name, s.script.rate(route, true), s.reformed.from.Seconds(), number(harmed, harmed > 0)) +
		fmt.Sprintf("%-*s %s: %s requests passed from %gs on; the limits allow %d.\n", margin-1, "",
			s.script.cast[s.script.greedy()].name, number(h.passed, float64(h.passed) > h.bound), s.wave().Seconds(), int(h.bound))
}

// announcement is the line between the lines, for a file or a pipe, that tells the reform.
func (s *story) announcement() string {
	r := s.script.reform
	return fmt.Sprintf("%5.1fs  A new file sets %d/s per client of %s; %s under way.\n", s.reformed.from.Seconds(),
		s.script.rate(r.route, true), s.script.routes[r.route].name, requests(s.reformed.running))
}

// change says what the reform has done to the clients that keep to their limits.
func (s *story) change() string {
	r := s.script.reform
	name := s.script.routes[r.route].name
	if s.reformed == nil {
		return fmt.Sprintf("The run ended before the limit of %s changed, at %gs.", name, r.at.Seconds())
	}
	t := s.bystanders()
	return fmt.Sprintf("At %.1fs a new file set %d/s for %s, with %s under way. Since then %d of %s of the other clients were refused, %d failed.",
		s.reformed.from.Seconds(), s.script.rate(r.route, true), name, requests(s.reformed.running),
		t.count[limited]+t.count[refused], requests(t.total()), t.count[failed])
}

// bounded says in a line how much the greedy client had of its limit in the wave of the reform, and
// the bound; nothing if there was no reform.
func (s *story) bounded() string {
	if s.reformed == nil {
		return ""
	}
	route, c := s.script.reform.route, s.script.cast[s.script.greedy()]
	h := s.share()
	return fmt.Sprintf("%s, %gs to %gs: %d passed; bound: burst %d + %d*%.3fs + %d*%.3fs = %.1f.\n", c.name,
		s.wave().Seconds(), (s.wave() + c.wave).Seconds(), h.passed, s.script.burst,
		s.script.rate(route, false), h.old.Seconds(), s.script.rate(route, true), h.new.Seconds(), h.bound)
}
