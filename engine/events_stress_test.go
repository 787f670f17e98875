package engine_test

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

var transitionsFlag = flag.Uint64("engine.transitions", 24_000/slowdown, "how many changes of breakers TestReadersOfEventsUnderLoad makes, for each dispatch")

// TestReadersOfEventsUnderLoad: breakers open and close while others call. A reader that is never further behind than the ring
// sees every event in order, each beginning where the one before of its key ended; a slow one sees gaps that add up to the rest.
func TestReadersOfEventsUnderLoad(t *testing.T) {
	const workers, lead = 8, 2000
	for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
		t.Run(d.String(), func(t *testing.T) {
			eng := start(t, engine.Config{Breaker: opensAfter(1), Dispatch: d})
			var read atomic.Uint64 // by the fast reader
			var working, reading sync.WaitGroup
			ctx, cancel := context.WithCancel(t.Context())
			fast, slow := eng.Events(ctx), eng.Events(ctx)
			reading.Go(func() { followAll(t, fast, &read) })
			reading.Go(func() { followSome(t, eng, slow, *transitionsFlag) })
			all := func() uint64 { c := eng.Transitions(); return c.Tripped + c.Recovered }
			for w := range workers {
				working.Go(func() {
					key := fmt.Sprint(w)
					for all() < *transitionsFlag {
						for all() > read.Load()+lead { // else the fast reader could be too slow
							_ = eng.Run(ctx, "healthy", succeed)
						}
						_ = eng.Run(ctx, key, fail)
						eng.Reset(key)
						_ = eng.Run(ctx, "healthy", succeed)
					}
				})
			}
			working.Wait()
			require.NoError(t, eng.Close(context.Background()))
			reading.Wait()
			cancel()
			require.Equal(t, all(), read.Load())
			t.Attr("transitions", fmt.Sprint(all()))
		})
	}
}

// followAll reads events of which none may be missing.
func followAll(t *testing.T, events func(func(engine.Event) bool), read *atomic.Uint64) {
	states := map[string]breaker.State{}
	for e := range events {
		assert.Equal(t, read.Load()+1, e.Seq)
		assert.Equal(t, states[e.Key], e.From)
		states[e.Key] = e.To
		read.Add(1)
	}
}

// followSome reads events and sleeps for two rings after each.
func followSome(t *testing.T, eng *engine.Engine, events func(func(engine.Event) bool), all uint64) {
	var seen, missed, last uint64
	for e := range events {
		assert.Greater(t, e.Seq, last)
		missed += e.Seq - last - 1
		last = e.Seq
		if seen++; seen%64 > 0 {
			continue
		}
		for c := eng.Transitions(); c.Tripped+c.Recovered < min(last+2*4096, all); c = eng.Transitions() {
			_ = eng.Run(t.Context(), "healthy", succeed)
		}
	}
	c := eng.Transitions()
	assert.Equal(t, c.Tripped+c.Recovered, seen+missed)
	if all > 3*4096 {
		assert.Positive(t, missed)
	}
}

// BenchmarkTransition is a call that opens a breaker, and a Reset that closes it: two events. Nobody reads them, or one reader does.
func BenchmarkTransition(b *testing.B) {
	for _, readers := range []int{0, 1} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			eng := start(b, engine.Config{Breaker: opensAfter(1)})
			for range readers {
				events := eng.Events(b.Context())
				go func() {
					for e := range events {
						_ = e
					}
				}()
			}
			b.ReportAllocs()
			for b.Loop() {
				_ = eng.Run(b.Context(), "k", fail)
				eng.Reset("k")
			}
		})
	}
}
