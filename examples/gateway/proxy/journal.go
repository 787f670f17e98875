package proxy

import (
	"context"
	"iter"
	"log/slog"
	"sync"

	"github.com/limitpal/limitpal-go/engine"
)

// Event is an event of an engine of the gateway. The numbers of the events, from 1, count over all
// engines. Key is as the log shows keys: a hash if a header tells clients apart.
type Event struct {
	Route string // "" for the engine of connections
	engine.Event
}

// keptEvents is the number of events that a journal keeps.
const keptEvents = 4096

// journal keeps the last events of the engines. No engine waits for a reader. The zero journal is
// empty.
type journal struct {
	following sync.WaitGroup // of the goroutines of follow; each ends with its engine

	mu     sync.Mutex
	kept   []Event       // event n is at place (n-1) % keptEvents
	last   uint64        // the number of the last event
	more   chan struct{} // closed by the next event; nil while nobody waits
	closed bool
}

// follow has the events of an engine in the journal, and in the log unless log is nil, until the
// engine is closed. shown is the key as the journal and the log have the key.
func (j *journal) follow(route string, e *engine.Engine, shown func(string) string, log *slog.Logger) {
	j.following.Go(func() { // ends with the engine
		for event := range e.EventsSince(context.Background(), 0) {
			if event.Key != "" {
				event.Key = shown(event.Key)
			}
			j.add(Event{route, event})
		}
	})
	if log != nil {
		lines := slog.New(&eventLines{log.Handler(), route, shown})
		j.following.Go(func() { engine.LogEvents(context.Background(), lines, e) }) // ends with the engine
	}
}

// eventLines writes the lines of engine.LogEvents with the route, and with keys as the log shows
// keys. Such a line has the first 64 bytes of a key, so that the hash of a longer key is another
// hash than that in the lines of requests.
type eventLines struct {
	slog.Handler
	route string
	shown func(string) string
}

// Handle writes a line, but none for an engine that a reload has changed: the reload has a line.
func (l *eventLines) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == engine.Reconfigured.String() {
		return nil
	}
	line := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	if l.route != "" {
		line.AddAttrs(slog.String("route", l.route))
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "key" {
			a.Value = slog.StringValue(l.shown(a.Value.String()))
		}
		line.AddAttrs(a)
		return true
	})
	return l.Handler.Handle(ctx, line)
}

func (j *journal) add(event Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	event.Seq = j.last
	if place := (j.last - 1) % keptEvents; place < uint64(len(j.kept)) {
		j.kept[place] = event
	} else {
		j.kept = append(j.kept, event)
	}
	j.wake()
}

// wake has the readers look again. Hold the lock.
func (j *journal) wake() {
	if j.more != nil {
		close(j.more)
		j.more = nil
	}
}

// close ends the iterations, after the last event. All engines must be closed.
func (j *journal) close() {
	j.following.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.wake()
}

// since is Gateway.EventsSince. The journal is closed with the gateway.
func (j *journal) since(ctx context.Context, seq uint64) iter.Seq[Event] {
	first := min(seq, j.latest()) + 1
	return func(yield func(Event) bool) {
		next := first
		for ctx.Err() == nil {
			events, more, closed := j.read(next)
			for _, event := range events {
				if ctx.Err() != nil || !yield(event) {
					return
				}
				next = event.Seq + 1
			}
			switch {
			case len(events) > 0:
				continue
			case closed:
				return
			}
			select {
			case <-more:
			case <-ctx.Done():
			}
		}
	}
}

func (j *journal) latest() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// mostRead is the number of events that a reader takes at once.
const mostRead = 64

// read returns some of the events from number next on, or a channel that is closed when there may
// be more.
func (j *journal) read(next uint64) (events []Event, more <-chan struct{}, closed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	first := max(next, j.last+1-uint64(len(j.kept)))
	for n := first; n <= j.last && len(events) < mostRead; n++ {
		events = append(events, j.kept[(n-1)%keptEvents])
	}
	if len(events) == 0 && j.more == nil && !j.closed {
		j.more = make(chan struct{})
	}
	return events, j.more, j.closed
}
