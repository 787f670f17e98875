package mailbox_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/mailbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMessagesComeOutInTheOrderTheyWentIn(t *testing.T) {
	b := mailbox.New[int](3)
	for i := range 3 {
		require.NoError(t, b.TryPut(i))
	}
	require.ErrorIs(t, b.TryPut(3), mailbox.ErrFull)
	for i := range 3 {
		require.Equal(t, i, b.Take())
	}
}

func TestFullClosedAndExpiredAreDistinctAnswers(t *testing.T) {
	b := mailbox.New[int](1)
	require.NoError(t, b.TryPut(1))
	require.ErrorIs(t, b.TryPut(2), mailbox.ErrFull)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := b.Put(ctx, 2)
	require.ErrorIs(t, err, mailbox.ErrExpired)
	require.ErrorIs(t, err, context.Canceled)

	require.False(t, b.Empty())
	require.False(t, b.CloseIfEmpty(), "a mailbox with a message in it must not close")
	require.Equal(t, 1, b.Take())
	require.True(t, b.Empty())
	require.True(t, b.CloseIfEmpty())
	require.ErrorIs(t, b.TryPut(3), mailbox.ErrClosed)
	require.ErrorIs(t, b.Put(t.Context(), 3), mailbox.ErrClosed)
	require.False(t, b.CloseIfEmpty(), "closed once")
}

func TestAnEndedContextDoesNotStopAPutForWhichThereIsRoom(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := mailbox.New[int](1)
	require.NoError(t, b.Put(ctx, 1))
}

func TestPutWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mailbox.New[int](1)
		require.NoError(t, b.TryPut(1))
		done := make(chan error, 1)
		go func() { done <- b.Put(t.Context(), 2) }()
		synctest.Wait()
		require.Empty(t, done)
		require.Equal(t, 1, b.Take())
		require.NoError(t, <-done)
		require.Equal(t, 2, <-b.C())
		b.Took()
		require.True(t, b.CloseIfEmpty(), "Took counts what came out of C")
	})
}

func TestPutGivesUpWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mailbox.New[int](1)
		require.NoError(t, b.TryPut(1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, b.Put(ctx, 2), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		b.Take()
		require.True(t, b.CloseIfEmpty(), "a put that gave up leaves no trace")
	})
}

func TestCloseAndDrainHandsOverWhatWasDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mailbox.New[int](1)
		require.NoError(t, b.TryPut(1))
		blocked := make(chan error, 1)
		go func() { blocked <- b.Put(t.Context(), 2) }()
		synctest.Wait()
		var got []int
		b.CloseAndDrain(func(m int) { got = append(got, m) })
		require.NoError(t, <-blocked)
		require.Equal(t, []int{1, 2}, got)
		require.ErrorIs(t, b.TryPut(3), mailbox.ErrClosed)
	})
}

func TestNewRejectsACapacityBelowOne(t *testing.T) {
	require.PanicsWithValue(t, "mailbox: capacity = 0: must be at least 1", func() { mailbox.New[int](0) })
}

// TestNoMessageIsLostWhenTheMailboxCloses is the promise that matters: with producers at full speed and both ways of
// closing, what was accepted is exactly what came out.
func TestNoMessageIsLostWhenTheMailboxCloses(t *testing.T) {
	for round := range 200 {
		b := mailbox.New[int](4)
		var wg sync.WaitGroup
		accepted := make([]int, 4)
		for p := range accepted {
			wg.Go(func() {
				for accepted[p] < 100 {
					var err error
					if p%2 == 0 {
						err = b.Put(context.Background(), p)
					} else {
						err = b.TryPut(p)
					}
					switch {
					case err == nil:
						accepted[p]++
					case errors.Is(err, mailbox.ErrClosed):
						return
					default:
						runtime.Gosched()
					}
				}
			})
		}
		got := make([]int, len(accepted))
		for range 50 {
			got[b.Take()]++
		}
		if round%2 == 0 {
			b.CloseAndDrain(func(p int) { got[p]++ })
		} else {
			for !b.CloseIfEmpty() {
				select {
				case p := <-b.C():
					b.Took()
					got[p]++
				default:
				}
			}
		}
		wg.Wait()
		require.Equal(t, accepted, got, "round %d", round)
		require.Empty(t, b.C())
	}
}
