package proxy

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// read returns the numbers of the events after seq, until the iteration ends.
func read(ctx context.Context, j *journal, seq uint64) (numbers []uint64) {
	for event := range j.since(ctx, seq) {
		numbers = append(numbers, event.Seq)
	}
	return numbers
}

func TestJournalEndsAfterTheLastEvent(t *testing.T) {
	var j journal
	for range 3 {
		j.add(Event{})
	}
	j.close()
	require.Equal(t, []uint64{1, 2, 3}, read(t.Context(), &j, 0))
	require.Equal(t, []uint64{3}, read(t.Context(), &j, 2))
	require.Empty(t, read(t.Context(), &j, 3))
	require.Empty(t, read(t.Context(), &j, 1<<63), "a number that no event has had")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Empty(t, read(ended, &j, 0))
	for event := range j.since(t.Context(), 0) {
		require.EqualValues(t, 1, event.Seq)
		break
	}
}

// A reader that is waiting has each event as it comes, and a number beyond the last event stands for
// the last event.
func TestJournalTellsReadersThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		j.add(Event{})
		got := make(chan []uint64, 2)
		for _, seq := range []uint64{0, 1000} {
			go func() { got <- read(t.Context(), &j, seq) }()
			synctest.Wait()
		}
		for range 2 {
			j.add(Event{})
			synctest.Wait()
		}
		j.close()
		require.ElementsMatch(t, [][]uint64{{1, 2, 3}, {2, 3}}, [][]uint64{<-got, <-got})

		var open journal
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Empty(t, read(ctx, &open, 0))
	})
}

// A reader that does not read holds nobody up, and misses events.
func TestJournalDoesNotWaitForReaders(t *testing.T) {
	var j journal
	j.add(Event{})
	var numbers []uint64
	for event := range j.since(t.Context(), 0) {
		numbers = append(numbers, event.Seq)
		if event.Seq == 1 {
			for range keptEvents + 10 {
				j.add(Event{})
			}
			j.close()
		}
	}
	require.Len(t, j.kept, keptEvents)
	require.Len(t, numbers, 1+keptEvents)
	require.EqualValues(t, 12, numbers[1])
	require.EqualValues(t, keptEvents+11, numbers[keptEvents])
	for i := range numbers[2:] {
		require.Equal(t, numbers[i+1]+1, numbers[i+2])
	}
}

// The journal and the log have each event, and no key in clear that is hidden.
func TestJournalFollowsAnEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := engine.New(engine.Config{Name: "client", Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Minute}})
		require.NoError(t, err)
		var j journal
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Value.Kind() == slog.KindTime {
				return slog.Attr{}
			}
			return a
		}}))
		j.follow("api", e, func(string) string { return "hidden" }, log)
		require.Error(t, e.Run(t.Context(), "secret", func(context.Context) error { return errSilent }))
		require.NoError(t, e.Reconfigure(e.Config()))
		synctest.Wait()
		require.NoError(t, e.Close(t.Context()))
		j.close()
		var events []Event
		for event := range j.since(t.Context(), 0) {
			events = append(events, event)
		}
		require.Len(t, events, 2)
		require.Equal(t, engine.Tripped, events[0].Kind)
		require.Equal(t, engine.Reconfigured, events[1].Kind)
		require.Equal(t, "api", events[0].Route)
		require.Equal(t, "hidden", events[0].Key)
		require.Empty(t, events[1].Key)
		require.Equal(t, `level=WARN msg=tripped route=api engine=client key=hidden from=closed to=open `+
			`reason="a failure: proxy: the upstream has been silent for too long"`+"\n", out.String())
	})
}
