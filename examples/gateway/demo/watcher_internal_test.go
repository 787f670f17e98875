package demo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBetweenTwoLooks(t *testing.T) {
	waiting := func(left time.Duration) Route { return Route{Breaker: open, OpenFor: left} }
	unknown, well, probing := Route{}, Route{Breaker: closed}, Route{Breaker: halfOpen}
	for _, row := range []struct {
		name        string
		before, now Route
		want        []string
	}{
		{"nothing is known", unknown, unknown, nil},
		{"it has become known", unknown, well, nil},
		{"time passed", waiting(5), waiting(4), nil},
		{"it opened", unknown, waiting(5), []string{open}},
		{"a probe may come", waiting(1), probing, []string{halfOpen}},
		{"the probe was answered", probing, well, []string{closed}},
		{"the probe failed", probing, waiting(5), []string{open}},
		{"a probe was sent and failed", waiting(1), waiting(5), []string{halfOpen, open}},
		{"a probe was sent and answered", waiting(1), well, []string{halfOpen, closed}},
		{"it opened long ago", well, probing, []string{open, halfOpen}},
		{"a probe was answered, and all was forgotten", waiting(1), unknown, []string{halfOpen, closed}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			for _, c := range between(row.before, row.now, 2, time.Second) {
				require.Equal(t, change{time.Second, 2, c.to}, c)
				got = append(got, c.to)
			}
			require.Equal(t, row.want, got)
		})
	}
}
