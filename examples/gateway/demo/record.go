package demo

import (
	"slices"
	"sync"
	"time"
)

// class is the end of a request, as its client saw it.
type class uint8

const (
	answered class = iota // 2xx
	limited               // 429
	refused               // 503 of the gateway itself, whose breaker is open
	failed                // any other answer, or none
	classes               // how many there are
)

// answer is a request that has ended. Times are since the start.
type answer struct {
	client, route int
	class         class
	began, ended  time.Duration
}

func (a answer) took() time.Duration { return a.ended - a.began }

// record holds the answers that the clients have seen. Any goroutine may add answers. The zero
// record is empty.
type record struct {
	mu      sync.Mutex
	begun   [][]time.Duration // when requests were sent, by route
	answers []answer          // in the order of their ends
}

func (r *record) begin(route int, at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.begun) <= route {
		r.begun = append(r.begun, nil)
	}
	r.begun[route] = append(r.begun[route], at)
}

func (r *record) end(a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = append(r.answers, a)
}

// running is the number of requests that were sent and have not ended.
func (r *record) running() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := -len(r.answers)
	for _, begun := range r.begun {
		n += len(begun)
	}
	return n
}

// read returns the record so far. Later additions do not change the result.
func (r *record) read(routes int) (begun [][]time.Duration, answers []answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	begun = make([][]time.Duration, routes)
	copy(begun, r.begun) // appending to a copied slice changes no element of the copy
	return begun, r.answers[:len(r.answers):len(r.answers)]
}

// percentile is the time within which p per cent of took lie (nearest rank), or 0 if took is empty.
// took stays unchanged.
func percentile(took []time.Duration, p int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}
