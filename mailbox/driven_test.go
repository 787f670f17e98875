package mailbox_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/mailbox"
)

// inline is a mailbox.Driver that runs what it was given in the midst of a put.
type inline struct {
	wait    func()
	between func()
}

func (d *inline) Wait(ready func() bool) {
	for !ready() {
		d.wait()
	}
}

func (d *inline) Between() {
	if f := d.between; f != nil {
		d.between = nil
		f()
	}
}

func take(t *testing.T, b *mailbox.Mailbox[int]) int {
	t.Helper()
	m, ok := b.TryTake()
	require.True(t, ok)
	return m
}

func TestADrivenPutWaitsForRoom(t *testing.T) {
	d := &inline{}
	b := mailbox.NewDriven[int](1, d)
	require.NoError(t, b.Put(t.Context(), 1))
	waits := 0
	d.wait = func() {
		waits++
		require.False(t, b.Empty())
		require.Equal(t, 1, b.Len())
		require.ErrorIs(t, b.TryPut(9), mailbox.ErrFull)
		require.Equal(t, 1, take(t, b))
	}
	require.NoError(t, b.Put(t.Context(), 2))
	require.Equal(t, 1, waits)
	require.Equal(t, 2, take(t, b))
	_, ok := b.TryTake()
	require.False(t, ok)
	require.True(t, b.CloseIfEmpty())
	require.ErrorIs(t, b.Put(t.Context(), 3), mailbox.ErrClosed)
}

// TestDrivenPutsKeepTheirOrder: the second put comes while the first waits, and the third while both do.
func TestDrivenPutsKeepTheirOrder(t *testing.T) {
	d := &inline{}
	b := mailbox.NewDriven[int](1, d)
	require.NoError(t, b.Put(t.Context(), 1))
	next := 3
	var got []int
	d.wait = func() {
		if next <= 4 {
			next++
			require.NoError(t, b.Put(t.Context(), next-1))
			return
		}
		got = append(got, take(t, b))
	}
	require.NoError(t, b.Put(t.Context(), 2))
	for b.Len() > 0 {
		got = append(got, take(t, b))
	}
	require.Equal(t, []int{1, 2, 3, 4}, got)
}

func TestADrivenPutGivesUpWhenItsContextEnds(t *testing.T) {
	d := &inline{}
	b := mailbox.NewDriven[int](1, d)
	require.NoError(t, b.Put(t.Context(), 1))
	ctx, cancel := context.WithCancel(t.Context())
	d.wait = cancel
	err := b.Put(ctx, 2)
	require.ErrorIs(t, err, mailbox.ErrExpired)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, take(t, b))
	require.True(t, b.CloseIfEmpty(), "a put that gave up leaves no trace")
}

// TestAMailboxIsNotDrainedWhileAPutIsOnItsWay: the put is counted, and its message is not in the mailbox yet.
func TestAMailboxIsNotDrainedWhileAPutIsOnItsWay(t *testing.T) {
	d := &inline{}
	b := mailbox.NewDriven[int](1, d)
	var got []int
	keep := func(m int) { got = append(got, m) }
	d.between = func() {
		require.False(t, b.CloseIfEmpty())
		require.False(t, b.Drain(keep))
		require.False(t, b.Drained())
		require.ErrorIs(t, b.TryPut(9), mailbox.ErrClosed)
	}
	require.NoError(t, b.Put(t.Context(), 1))
	require.True(t, b.Drain(keep))
	require.True(t, b.Drained())
	require.Equal(t, []int{1}, got)
}

func TestADrainHandsOverTheMessagesThatWaitForRoom(t *testing.T) {
	d := &inline{}
	b := mailbox.NewDriven[int](1, d)
	require.NoError(t, b.Put(t.Context(), 1))
	var got []int
	d.wait = func() { require.True(t, b.Drain(func(m int) { got = append(got, m) })) }
	require.NoError(t, b.Put(t.Context(), 2))
	require.Equal(t, []int{1, 2}, got)
}
