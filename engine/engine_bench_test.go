package engine_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// BenchmarkAdmitted is an admitted call through breaker, limiter and retry with an empty function,
// beside the textbook actor that does the same work. Compare within one run; "ns/op" is the time
// between calls of all goroutines together.
func BenchmarkAdmitted(b *testing.B) {
	for _, keys := range []int{1, 1_000, 100_000} {
		names := make([]string, keys)
		for i := range names {
			names[i] = "tenant-" + strconv.Itoa(i)
		}
		for _, perCore := range []int{1, 32} {
			for _, c := range []struct {
				name string
				make func(*testing.B) func(key string) error
			}{
				{"textbook", textbookCalls},
				{"mailbox", func(b *testing.B) func(string) error { return engineCalls(b, engine.Mailbox) }},
				{"published", func(b *testing.B) func(string) error { return engineCalls(b, engine.Published) }},
			} {
				b.Run(fmt.Sprintf("keys=%d/percore=%d/%s", keys, perCore, c.name), func(b *testing.B) {
					call := c.make(b)
					for _, name := range names {
						require.NoError(b, call(name)) // the birth of a key is not measured
					}
					b.SetParallelism(perCore)
					b.ReportAllocs()
					var starts atomic.Uint64
					b.ResetTimer()
					b.RunParallel(func(pb *testing.PB) {
						i := starts.Add(1) * 0x9E3779B97F4A7C15
						for pb.Next() {
							i = i*6364136223846793005 + 1442695040888963407
							if err := call(names[(i>>33)%uint64(len(names))]); err != nil {
								b.Error(err)
								return
							}
						}
					})
				})
			}
		}
	}
}

// engineCalls is the engine with all stages, a limit that is never reached and a function that does
// nothing.
func engineCalls(b *testing.B, d engine.Dispatch) func(string) error {
	eng, err := engine.New(engine.Config{
		Breaker:  &breaker.Policy{},
		Limiter:  limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.PerSecond(1e9)},
		Retry:    &retry.Policy{},
		Dispatch: d,
	})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, eng.Close(context.Background())) })
	ctx := context.Background()
	return func(key string) error { return eng.Run(ctx, key, nothing) }
}

func nothing(context.Context) error { return nil }

// textbook is the actor of textbooks: a goroutine per key for ever, found in a sync.Map; an ask
// with a pooled reply channel, then a report without a reply. A textbook keeps a bucket and counts
// failures, as the engine does.
type textbook struct {
	actors sync.Map // string to chan textbookMessage
	calls  sync.Pool
	wg     sync.WaitGroup
	base   time.Time
}

type textbookMessage struct {
	reply  chan bool // nil for a report
	failed bool
}

func textbookCalls(b *testing.B) func(string) error {
	t := &textbook{base: time.Now()}
	t.calls.New = func() any { return make(chan bool, 1) }
	b.Cleanup(t.close)
	return func(key string) error {
		inbox := t.actor(key)
		reply := t.calls.Get().(chan bool)
		inbox <- textbookMessage{reply: reply}
		ok := <-reply
		t.calls.Put(reply)
		if !ok {
			return limiter.ErrLimited
		}
		err := nothing(context.Background())
		inbox <- textbookMessage{failed: err != nil}
		return err
	}
}

func (t *textbook) actor(key string) chan textbookMessage {
	if inbox, ok := t.actors.Load(key); ok {
		return inbox.(chan textbookMessage)
	}
	inbox, known := t.actors.LoadOrStore(key, make(chan textbookMessage, 16))
	if !known {
		t.wg.Go(func() { t.run(inbox.(chan textbookMessage)) }) // ended by close
	}
	return inbox.(chan textbookMessage)
}

func (t *textbook) run(inbox chan textbookMessage) {
	var full int64
	var failures int
	for m := range inbox {
		switch {
		case m.reply != nil:
			now := int64(time.Since(t.base))
			next := max(full, now) + 1
			ok := failures < 5 && next-now <= 1<<30
			if ok {
				full = next
			}
			m.reply <- ok
		case m.failed:
			failures++
		default:
			failures = 0
		}
	}
}

func (t *textbook) close() {
	t.actors.Range(func(_, inbox any) bool {
		close(inbox.(chan textbookMessage))
		return true
	})
	t.wg.Wait()
}

// BenchmarkAlternating is a key that fails and succeeds by turns, so that every second call needs
// the key's actor.
func BenchmarkAlternating(b *testing.B) {
	for _, keys := range []int{1, 1_000} {
		for _, d := range []engine.Dispatch{engine.Mailbox, engine.Published} {
			b.Run(fmt.Sprintf("keys=%d/%v", keys, d), func(b *testing.B) {
				eng := start(b, engine.Config{
					Breaker:  &breaker.Policy{FailureThreshold: 1 << 30},
					Limiter:  limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.PerSecond(1e9)},
					Dispatch: d,
				})
				names := make([]string, keys)
				for i := range names {
					names[i] = "tenant-" + strconv.Itoa(i)
				}
				ctx := context.Background()
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					_ = eng.Run(ctx, names[i%keys], fail)
					_ = eng.Run(ctx, names[i%keys], succeed)
				}
			})
		}
	}
}
