// Package perkey measures guards that each key has one of: calls of random keys from all processors.
package perkey

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Run makes a call of a key under the guard of that key.
type Run func(ctx context.Context, key string, fn func(context.Context) error) error

// Contender makes the guards of a benchmark.
type Contender struct {
	Name string
	Made func(b *testing.B) Run
}

// Bench measures calls that are let through and succeed, of one key and of 1,000, for each contender.
func Bench(b *testing.B, contenders []Contender) {
	b.Helper()
	for _, keys := range []int{1, 1000} {
		names := make([]string, keys)
		for i := range names {
			names[i] = "tenant-" + strconv.Itoa(i)
		}
		for _, c := range contenders {
			b.Run(fmt.Sprintf("keys=%d/%s", keys, c.Name), func(b *testing.B) { calls(b, c.Made(b), names) })
		}
	}
}

// Find returns the guard of key, made by the first call.
func Find[V any](keys *sync.Map, key string, made func() V) V {
	v, ok := keys.Load(key)
	if !ok {
		v, _ = keys.LoadOrStore(key, made())
	}
	return v.(V)
}

func succeed(context.Context) error { return nil }

func calls(b *testing.B, run Run, names []string) {
	b.Helper()
	for range 2 { // the second finds all that the first has made
		for _, name := range names {
			require.NoError(b, run(b.Context(), name, succeed))
		}
	}
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		i := uint64(0)
		for pb.Next() {
			i = i*6364136223846793005 + 1442695040888963407
			if err := run(ctx, names[(i>>33)%uint64(len(names))], succeed); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
