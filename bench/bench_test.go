package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/workload"
)

// BenchmarkCalls makes the calls of the command under package testing, for profiles and for looking closer at one row:
//
//	go test -run='^$' -bench='Calls/pipeline/keys=1k/contender=engine-published/percore=1$' -cpuprofile=cpu.out .
//
// "ns/op" is the time between calls of all goroutines together; what the harness takes of it is in the row of the no-op.
func BenchmarkCalls(b *testing.B) {
	for _, w := range workload.All() {
		if w.Unbroken {
			continue // package testing's goroutines do not yield either
		}
		b.Run(w.Name, func(b *testing.B) {
			for _, p := range workload.Populations() {
				b.Run("keys="+p.Name, func(b *testing.B) {
					for _, c := range contender.All() {
						if w.Takes(c) {
							b.Run("contender="+c.Name, func(b *testing.B) { benchmarkCalls(b, w, c, p) })
						}
					}
				})
			}
		})
	}
}

// benchmarkCalls prepares a guard once for all numbers of goroutines.
func benchmarkCalls(b *testing.B, w workload.Workload, c contender.Contender, p workload.Population) {
	keys := contender.NewKeys(p.Size)
	walks := p.Walks(keys)
	g, err := w.Start(c, keys)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := g.Close(); err != nil {
			b.Error(err)
		}
	})
	runtime.GC() // what preparing left behind is not what is measured
	for _, perCore := range []int{1, 32} {
		b.Run(fmt.Sprintf("percore=%d", perCore), func(b *testing.B) {
			b.SetParallelism(perCore)
			b.ReportAllocs()
			var goroutines, wrong atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				walk := walks(int(goroutines.Add(1)))
				for pb.Next() {
					if !w.Call(g, walk.Next()) {
						wrong.Add(1)
					}
				}
			})
			if wrong.Load() > 0 {
				b.Errorf("%d calls ended as they must not", wrong.Load())
			}
		})
	}
}
