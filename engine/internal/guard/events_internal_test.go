package guard

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEventsAreALogWhoseBeginningIsForgotten: the ring answers as a slice does that keeps everything, but for
// events that are more than EventsKept behind.
func TestEventsAreALogWhoseBeginningIsForgotten(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var ring Events
	var all []Event
	next := uint64(1)
	for range 3000 {
		for range r.IntN(9) {
			e := Event{At: r.Int64(), Key: strconv.Itoa(len(all))}
			ring.Add(e)
			all = append(all, e)
		}
		if r.IntN(700) == 0 { // a reader that sleeps
			for range EventsKept + r.IntN(200) {
				ring.Add(Event{At: 7})
				all = append(all, Event{At: 7})
			}
		}
		require.EqualValues(t, len(all), ring.Last())
		room := make([]Event, 1+r.IntN(9))
		first, n, more := ring.Read(next, room)
		want := max(next, uint64(max(0, len(all)-EventsKept)+1))
		require.Equal(t, want, first)
		rest := all[min(len(all), int(first-1)):] //nolint:gosec // a length
		require.Equal(t, rest[:min(len(rest), len(room))], append([]Event{}, room[:n]...))
		if require.Equal(t, n == 0, more != nil); n == 0 {
			_, _, again := ring.Read(next, room)
			ring.Add(Event{})
			all = append(all, Event{})
			<-more
			<-again
		}
		next = first + uint64(n) //nolint:gosec // not negative
	}
	require.Len(t, ring.kept, EventsKept)
}

// TestReadersOfEvents: of events that many goroutines add, a reader that keeps up sees each, in the order of
// their numbers, and a slow one sees gaps that add up to the events that it has not seen.
func TestReadersOfEvents(t *testing.T) {
	const writers, each = 4, 20_000
	var ring Events
	var writing, reading sync.WaitGroup
	behind := make(chan struct{}, EventsKept/2)
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				behind <- struct{}{}
				ring.Add(Event{At: int64(i), Until: int64(w)})
			}
		})
	}
	reading.Go(func() {
		seen, missed := readAll(t, &ring, writers*each, 16, func() { <-behind })
		require.EqualValues(t, writers*each, seen)
		require.Zero(t, missed)
	})
	reading.Go(func() {
		_, missed := readAll(t, &ring, writers*each, 1, nil)
		require.Positive(t, missed)
	})
	writing.Wait()
	reading.Wait()
}

// readAll reads events, room at a time, until it has seen or missed all of them. A reader without onSeen sleeps for three rings
// after each batch. The events of one writer have to be in order.
func readAll(t *testing.T, ring *Events, all uint64, room int, onSeen func()) (seen, missed uint64) {
	last := map[int64]int64{}
	batch := make([]Event, room)
	for next := uint64(1); seen+missed < all; {
		first, n, more := ring.Read(next, batch)
		if n == 0 {
			<-more
			continue
		}
		missed += first - next
		for _, e := range batch[:n] {
			if seen++; e.At < last[e.Until] {
				t.Errorf("event %d of writer %d after %d", e.At, e.Until, last[e.Until])
			}
			if last[e.Until] = e.At; onSeen != nil {
				onSeen()
			}
		}
		next = first + uint64(n) //nolint:gosec // not negative
		for onSeen == nil && ring.Last() < min(next+3*EventsKept, all) {
			if _, n, more := ring.Read(ring.Last()+1, batch); n == 0 {
				<-more
			}
		}
	}
	return seen, missed
}

// BenchmarkEvent is the cost of an event: with nobody there to read it, and for a reader that waits.
func BenchmarkEvent(b *testing.B) {
	b.Run("nobody reads", func(b *testing.B) {
		var ring Events
		b.ReportAllocs()
		for b.Loop() {
			ring.Add(Event{At: 1, Key: "k", Kind: Tripped})
		}
	})
	b.Run("a reader waits", func(b *testing.B) {
		var ring Events
		room := make([]Event, 16)
		next := uint64(1)
		b.ReportAllocs()
		for b.Loop() {
			_, _, more := ring.Read(next, room)
			ring.Add(Event{At: 1, Key: "k", Kind: Tripped})
			<-more
			next++
		}
	})
}
