package actors_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
)

// TestSteppedSmoke drives a system in one thread.
func TestSteppedSmoke(t *testing.T) {
	for seed := range uint64(300) {
		w := newWorld(seed)
		b := spilling(new(tape[string]))
		b.spill = func(string, *face, *state) {}
		s, err := actors.New(b, actors.Config{MaxKeys: 3, Mailbox: 2, Clock: worldClock{w}, Driver: w})
		require.NoError(t, err)
		accepted, processed, done, end := 0, 0, 0, false
		for i := range 4 {
			w.spawn(fmt.Sprint("caller ", i), func() {
				for range 20 {
					c, err := s.Cell(fmt.Sprint(w.random.IntN(5)))
					if err == nil {
						hold := w.oneIn(4)
						err = s.Send(context.Background(), c, message{turn: func(now int64, st *state) actors.Next {
							processed++
							next := rest(now)
							if hold {
								next.Wake = now + 1e9
							}
							return next
						}, refuse: func(error) { processed-- }})
					}
					if err == nil {
						accepted++
					}
				}
				done++
			})
		}
		w.run(func() bool { return done == 4 })
		require.Equal(t, 4, done)
		w.spawn("close", func() {
			require.NoError(t, s.Close(context.Background()))
			end = true
		})
		w.run(func() bool { return end })
		require.True(t, end, "seed %d", seed)
		require.NotZero(t, accepted)
	}
}
