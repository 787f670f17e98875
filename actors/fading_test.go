package actors_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
)

// TestASearchGoesOnBehindKeysThatFade: a key that is never to be spilled, and equals a new key at a later instant, is put aside
// until a sweep finds that the instant has come. A search used to refuse a key after 256 such cells.
func TestASearchGoesOnBehindKeysThatFade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pinned = 600
		var gone tape[string]
		s := open(t, spilling(&gone), actors.Config{MaxKeys: pinned + 1, IdleAfter: 16 * time.Hour}, nil)
		for i := range pinned + 1 {
			require.NoError(t, do(t, s, fmt.Sprint(i), func(now int64, st *state) actors.Next {
				next := rest(now)
				if st.n = -1; i == pinned/2 {
					st.n = 1
				}
				next.Forget = now + int64(time.Hour)
				return next
			}))
		}
		synctest.Wait()
		require.NoError(t, do(t, s, "new", add(-1)))
		require.Equal(t, []string{fmt.Sprint(pinned/2, " 1")}, gone.get())
		_, err := s.Cell("too many")
		require.ErrorIs(t, err, actors.ErrKeyLimit)
		after(3 * time.Hour)
		for i := range pinned {
			require.NoError(t, do(t, s, fmt.Sprint("newer ", i), add(-1)))
		}
		require.Len(t, gone.get(), 1)
		synctest.Wait()
		require.Equal(t, actors.Stats{Keys: pinned + 1, Evicted: pinned, Spilled: 1}, s.Stats())
	})
}
