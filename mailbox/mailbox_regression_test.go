package mailbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/mailbox"
)

// foreign is a context that package context has not made. It has ended.
type foreign struct {
	context.Context
	err error
}

func (foreign) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}
func (f foreign) Err() error { return f.err }

// TestAPutSaysWhyItsContextEnded: with its error and its cause, and also when it has neither.
func TestAPutSaysWhyItsContextEnded(t *testing.T) {
	own, cause := errors.New("shutdown"), errors.New("the cause")
	caused, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	expired, release := context.WithDeadlineCause(t.Context(), time.Unix(1, 0), cause)
	defer release()
	for name, row := range map[string]struct {
		ctx  context.Context
		want []error
		text string
	}{
		"Done closed, Err nil": {foreign{t.Context(), nil}, []error{context.Canceled},
			"mailbox: expired while waiting for room: context canceled"},
		"Done closed, Err of its own": {foreign{t.Context(), own}, []error{own}, "mailbox: expired while waiting for room: shutdown"},
		"cancelled with a cause": {caused, []error{context.Canceled, cause},
			"mailbox: expired while waiting for room: context canceled: the cause"},
		"deadline with a cause": {expired, []error{context.DeadlineExceeded, cause},
			"mailbox: expired while waiting for room: context deadline exceeded: the cause"},
	} {
		t.Run(name, func(t *testing.T) {
			b := mailbox.New[int](1)
			require.NoError(t, b.TryPut(1))
			err := b.Put(row.ctx, 2)
			require.EqualError(t, err, row.text)
			require.ErrorIs(t, err, mailbox.ErrExpired)
			for _, want := range row.want {
				require.ErrorIs(t, err, want)
			}
			require.Equal(t, 1, b.Take())
			require.True(t, b.Empty())
		})
	}
}
