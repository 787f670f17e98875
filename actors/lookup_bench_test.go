package actors_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/puzpuzpuz/xsync/v4"

	"github.com/limitpal/limitpal-go/actors"
)

// BenchmarkLookup compares the table of cells with maps that others have made: every call begins with a lookup. These have to stop
// all writers, for longer the more keys there are, when they grow.
func BenchmarkLookup(b *testing.B) {
	type cell = actors.Cell[actors.Face, struct{}, struct{}]
	for _, n := range []int{1, 1000, 100_000} {
		keys := make([]string, n)
		var std sync.Map
		table := actors.NewTable()
		other := xsync.NewMap[string, *cell]()
		for i := range keys {
			keys[i] = fmt.Sprintf("tenant-%d", i)
			table.Store(keys[i])
			std.Store(keys[i], table.Load(keys[i]))
			other.Store(keys[i], table.Load(keys[i]))
		}
		for _, m := range []struct {
			name string
			load func(key string) *cell
		}{
			{"sync.Map", func(key string) *cell {
				v, _ := std.Load(key)
				return v.(*cell)
			}},
			{"xsync.Map", func(key string) *cell {
				v, _ := other.Load(key)
				return v
			}},
			{"table", func(key string) *cell { return table.Load(key) }},
		} {
			b.Run(fmt.Sprintf("%s/keys=%d", m.name, n), func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					i := rand.IntN(n)
					for pb.Next() {
						if m.load(keys[i]).Published.Load() != 0 { // as every call does
							b.Error("not the cell")
						}
						if i += 7919; i >= n { // a prime step: no two lookups hit neighbours
							i %= n
						}
					}
				})
			})
		}
	}
}

// BenchmarkAsk is one question to a running actor and its answer: lookup, mailbox, turn, reply.
func BenchmarkAsk(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			s, err := actors.New(&asks{}, actors.Config{})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close(context.Background()) }()
			keys := make([]string, n)
			for i := range keys {
				keys[i] = fmt.Sprintf("tenant-%d", i)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				call := actors.NewCall[int]()
				for i := rand.IntN(n); pb.Next(); i = (i + 7919) % n {
					call.Reset()
					c, err := s.Cell(keys[i])
					if err == nil {
						err = s.Send(context.Background(), c, question{Call: &call})
					}
					if err != nil {
						b.Error(err)
						return
					}
					<-call.Answered()
				}
			})
		})
	}
}
