package clock_test

import (
	"testing"
	"time"

	benbjohnson "github.com/benbjohnson/clock"

	"github.com/limitpal/limitpal-go/clock"
)

func BenchmarkNanos(b *testing.B) {
	for name, c := range map[string]clock.Clock{
		"System": clock.System(), "WrapReal": clock.Wrap(benbjohnson.New()),
	} {
		b.Run(name, func(b *testing.B) {
			read := clock.Nanos(c)
			b.ReportAllocs()
			for b.Loop() {
				read()
			}
		})
	}
}

func BenchmarkTimer(b *testing.B) {
	for name, c := range map[string]clock.Clock{
		"System": clock.System(), "WrapReal": clock.Wrap(benbjohnson.New()),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.NewTimer(time.Hour).Stop()
			}
		})
	}
}
