package enginehttp_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// TestAFileIsSentAsAFile, so that net/http can have the system send it. Nothing waits for a regular
// file.
func TestAFileIsSentAsAFile(t *testing.T) {
	pipe, writer, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	closed, err := os.Open("doc.go")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	regular, err := os.Open("doc.go")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		file *os.File
		same bool
	}{"regular": {regular, true}, "pipe": {pipe, false}, "closed": {closed, false}, "nil": {nil, false}} {
		for _, body := range []io.ReadCloser{c.file, io.NopCloser(c.file)} {
			tr := &enginehttp.Transport{Engine: transportEngine(t, engine.Config{}), Base: transportFunc(func(r *http.Request) (*http.Response, error) {
				require.Equal(t, c.same, r.Body == body, name)
				return nil, io.ErrUnexpectedEOF
			})}
			req := newRequest(t, "POST", "http://h/", nil)
			req.Body = body
			_, err := tr.RoundTrip(req)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		}
	}
	require.NoError(t, pipe.Close())
	require.NoError(t, regular.Close())
}

// TestAPipeThatNobodyWritesTo is no failure of the upstream, and does not keep RoundTrip when the
// time is up.
func TestAPipeThatNobodyWritesTo(t *testing.T) {
	ctx := timeUp{t.Context(), make(chan struct{})}
	var began time.Time
	u := startUpstream(t, func(_ int64, _ http.ResponseWriter, r *http.Request) {
		// The body is to be awaited for most of the attempt, however long the machine takes for the rest.
		time.AfterFunc(20*time.Since(began), func() { close(ctx.done) })
		_, _ = io.Copy(io.Discard, r.Body)
	})
	eng := transportEngine(t, engine.Config{Breaker: counting})
	_, tr := u.guarded(eng)
	body, writer, err := os.Pipe()
	require.NoError(t, err)
	defer writer.Close()
	began = time.Now()
	_, err = tr.RoundTrip(newRequest(t, "POST", u.URL, body).WithContext(ctx))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, failuresOf(t, eng, u.host()))
}
