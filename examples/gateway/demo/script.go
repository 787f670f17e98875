package demo

import (
	"fmt"
	"slices"
	"time"
)

// script lists the routes, the clients and the events. Times are since the start.
type script struct {
	length time.Duration
	routes []route
	acts   []act // of the route that falls sick, in order of time; before the first act its upstream is well
	cast   []client
	burst  int // of the limit of every route
	reform reform

	window time.Duration // rates and percentiles of the view are of the last window
	cell   time.Duration // the time that one character of a strip stands for
}

// route is a route of the gateway and the upstream behind it.
type route struct {
	name  string
	delay time.Duration // mean time to an answer; an answer takes from half to one and a half of delay
	rate  int           // requests per second that the gateway lets each client send, until the reform
	sick  bool          // follows the script's acts
}

// reform is the change of a limit, by a new configuration of the gateway: from this time on, but
// not before a request is under way.
type reform struct {
	at    time.Duration
	route int
	rate  int // in place of the rate of the route
}

// act is a mood of the sick upstream from a moment on.
type act struct {
	from time.Duration
	mood mood
}

// client sends requests to some of the routes, at a pace that no answer changes.
type client struct {
	name   string // also its API key
	rate   int    // requests per second to each of its routes
	routes []int
	wave   time.Duration // the client sends for one wave and rests for the next; 0: never rests
}

// rests reports whether the client sends nothing at the given time.
func (c client) rests(at time.Duration) bool { return c.wave > 0 && at/c.wave%2 == 1 }

// greedy reports whether the client exceeds its limit.
func (c client) greedy() bool { return c.wave > 0 }

// tenSeconds is the script of Run.
func tenSeconds() script {
	all := []int{0, 1, 2}
	return script{
		length: 10 * time.Second,
		routes: []route{
			{name: "catalog", delay: 2 * time.Millisecond, rate: 50},
			{name: "orders", delay: 20 * time.Millisecond, rate: 50},
			{name: "payments", delay: 5 * time.Millisecond, rate: 50, sick: true},
		},
		acts: []act{
			{2 * time.Second, hanging},
			{3500 * time.Millisecond, resetting},
			{5 * time.Second, unavailable},
			{7 * time.Second, well},
		},
		cast: []client{
			{name: "web", rate: 30, routes: all},
			{name: "mobile", rate: 25, routes: all},
			{name: "partner", rate: 20, routes: all},
			{name: "scraper", rate: 140, routes: []int{0}, wave: time.Second},
		},
		burst:  20,
		reform: reform{at: 8500 * time.Millisecond, route: 0, rate: 40}, // in the middle of a wave, when the bucket is empty
		window: time.Second,
		cell:   250 * time.Millisecond,
	}
}

// mood is the way in which an upstream treats a request.
type mood uint8

const (
	well mood = iota
	hanging
	resetting
	unavailable
)

// String is the mood in words that follow the name of an upstream.
func (m mood) String() string {
	switch m {
	case hanging:
		return "hangs: it takes requests and never answers"
	case resetting:
		return "resets every connection"
	case unavailable:
		return "answers 503: come back in 1s"
	default:
		return "is well"
	}
}

// word is the mood in one or two words.
func (m mood) word() string { return [...]string{"well", "hangs", "resets", "answers 503"}[m] }

// glyph stands for the mood in a strip.
func (m mood) glyph() rune { return [...]rune{'─', 'h', 'r', '5'}[m] }

// mood is the mood of the sick upstream at the given time.
func (s script) mood(at time.Duration) mood {
	now := well
	for _, a := range s.acts {
		if at >= a.from {
			now = a.mood
		}
	}
	return now
}

// sickness is the time from the first act to the last, at which the sick upstream is well again.
func (s script) sickness() (from, to time.Duration) {
	return s.acts[0].from, s.acts[len(s.acts)-1].from
}

// patient is the number of the route whose upstream falls sick.
func (s script) patient() int {
	for i, r := range s.routes {
		if r.sick {
			return i
		}
	}
	return 0
}

// greedy is the number of the client that exceeds its limit.
func (s script) greedy() int { return slices.IndexFunc(s.cast, client.greedy) }

// introduction announces the acts, in lines of at most 79 columns.
func (s script) introduction() string {
	from, to := s.sickness()
	return wrap(fmt.Sprintf("For %gs, %d clients send requests through a gateway with %d routes. Each route has an upstream, a breaker, "+
		"and a limit per client. From %gs to %gs the upstream of %s is sick: it hangs, resets connections, answers "+
		"503. The client %s exceeds its limit, in waves. At %gs the limit of %s changes.",
		s.length.Seconds(), len(s.cast), len(s.routes), from.Seconds(), to.Seconds(), s.routes[s.patient()].name,
		s.cast[s.greedy()].name, s.reform.at.Seconds(), s.routes[s.reform.route].name)) + "\n"
}
