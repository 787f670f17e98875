package engine_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
)

// BenchmarkFailing is a call that fails, below the threshold of the breaker: the actor counts every
// failure. With a key, or with a thousand keys, the actors linger. With more keys than may linger,
// every call starts an actor, which leaves after counting.
func BenchmarkFailing(b *testing.B) {
	for _, keys := range []int{1, 1_000, 20_000} {
		for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
			b.Run(fmt.Sprintf("keys=%d/%v", keys, d), func(b *testing.B) {
				names := make([]string, keys)
				for i := range names {
					names[i] = "tenant-" + strconv.Itoa(i)
				}
				eng, err := engine.New(engine.Config{
					Breaker: &breaker.Policy{FailureThreshold: 1 << 30}, Dispatch: d,
					Limiter: limiter.TokenBucket{Capacity: 1 << 30, RefillRate: limiter.Per(1, time.Nanosecond)},
				})
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = eng.Close(context.Background()) }()
				for range 5 {
					for _, name := range names {
						_ = eng.Run(context.Background(), name, fail)
					}
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					_ = eng.Run(context.Background(), names[i], fail)
					if i++; i == len(names) {
						i = 0
					}
				}
			})
		}
	}
}
