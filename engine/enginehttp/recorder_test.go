package enginehttp_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// offers is what an http.ResponseWriter says that it can do besides.
type offers struct{ flush, hijack, push, readFrom bool }

func offersOf(w http.ResponseWriter) (o offers) {
	_, o.flush = w.(http.Flusher)
	_, o.hijack = w.(http.Hijacker)
	_, o.push = w.(http.Pusher)
	_, o.readFrom = w.(io.ReaderFrom)
	return o
}

func TestNextIsOfferedWhatTheServerOffers(t *testing.T) {
	eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
		var outside, inside offers
		h := &enginehttp.Handler{
			Engine: guarding(t, engine.Config{}),
			Next:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { inside = offersOf(w) }),
		}
		srv := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			outside = offersOf(w)
			h.ServeHTTP(w, r)
		}))
		require.Equal(t, http.StatusOK, answered(t, srv, http.MethodGet).status)
		require.Equal(t, outside, inside)
		require.True(t, inside.flush)
		require.NotEqual(t, inside.hijack, inside.push, "one over HTTP/1, the other over HTTP/2")
	})
}

// journal notes what reaches the writer that a handler is given.
type journal struct {
	*httptest.ResponseRecorder
	calls []string
}

func (j *journal) note(call string) { j.calls = append(j.calls, call) }

type (
	plain    struct{ http.ResponseWriter } // offers nothing
	flusher  struct{ j *journal }
	hijacker struct{ j *journal }
	pusher   struct{ j *journal }
	reader   struct{ j *journal }
)

var errPlanted = errors.New("planted")

func (f flusher) Flush() { f.j.note("flush") }
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.j.note("hijack")
	return nil, nil, errPlanted
}
func (p pusher) Push(target string, _ *http.PushOptions) error {
	p.j.note("push " + target)
	return nil
}
func (r reader) ReadFrom(src io.Reader) (int64, error) {
	r.j.note("read from")
	return io.Copy(r.j.ResponseRecorder, src)
}

// writers are all the combinations.
func writers(j *journal) []http.ResponseWriter {
	p, f, h, u, r := plain{j.ResponseRecorder}, flusher{j}, hijacker{j}, pusher{j}, reader{j}
	return []http.ResponseWriter{
		p,
		struct {
			plain
			flusher
		}{p, f},
		struct {
			plain
			hijacker
		}{p, h},
		struct {
			plain
			pusher
		}{p, u},
		struct {
			plain
			reader
		}{p, r},
		struct {
			plain
			flusher
			hijacker
		}{p, f, h},
		struct {
			plain
			flusher
			pusher
		}{p, f, u},
		struct {
			plain
			flusher
			reader
		}{p, f, r},
		struct {
			plain
			hijacker
			pusher
		}{p, h, u},
		struct {
			plain
			hijacker
			reader
		}{p, h, r},
		struct {
			plain
			pusher
			reader
		}{p, u, r},
		struct {
			plain
			flusher
			hijacker
			pusher
		}{p, f, h, u},
		struct {
			plain
			flusher
			hijacker
			reader
		}{p, f, h, r},
		struct {
			plain
			flusher
			pusher
			reader
		}{p, f, u, r},
		struct {
			plain
			hijacker
			pusher
			reader
		}{p, h, u, r},
		struct {
			plain
			flusher
			hijacker
			pusher
			reader
		}{p, f, h, u, r},
	}
}

// TestNextIsOfferedEveryCombination: no more and no less than the writer outside offers, and all of it arrives there.
func TestNextIsOfferedEveryCombination(t *testing.T) {
	long := strings.Repeat("x", 4096)
	seen := map[offers]bool{}
	for i := range 16 {
		j := &journal{ResponseRecorder: httptest.NewRecorder()}
		w := writers(j)[i]
		want := offersOf(w)
		seen[want] = true
		var calls []string
		h := &enginehttp.Handler{Engine: guarding(t, engine.Config{}), Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			require.Equal(t, want, offersOf(w))
			if p, ok := w.(http.Pusher); ok {
				require.NoError(t, p.Push("/style.css", nil))
				calls = append(calls, "push /style.css")
			}
			n, err := io.Copy(w, struct{ io.Reader }{strings.NewReader(long)})
			require.NoError(t, err)
			require.EqualValues(t, len(long), n)
			if want.readFrom {
				calls = append(calls, "read from")
			}
			if f, ok := w.(http.Flusher); ok {
				f.Flush()
				calls = append(calls, "flush")
			}
			if h, ok := w.(http.Hijacker); ok {
				_, _, err := h.Hijack()
				require.ErrorIs(t, err, errPlanted)
				calls = append(calls, "hijack")
			}
		})}
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		require.Equal(t, calls, j.calls, "%+v", want)
		require.Equal(t, long, j.Body.String())
	}
	require.Len(t, seen, 16)
}

// TestAHijackThatFails takes nothing, so that the status is yet to come.
func TestAHijackThatFails(t *testing.T) {
	h := &enginehttp.Handler{
		Engine: guarding(t, opensAtOnce()),
		Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _, err := w.(http.Hijacker).Hijack()
			require.ErrorIs(t, err, errPlanted)
			w.WriteHeader(500)
		}),
	}
	for _, want := range []int{500, 503} {
		j := &journal{ResponseRecorder: httptest.NewRecorder()}
		h.ServeHTTP(writers(j)[2], httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		require.Equal(t, want, j.Code)
	}
}

// TestAFileIsSent: the way that net/http sends files is open, and what arrives is the file.
func TestAFileIsSent(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 1<<16)
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
		srv := serve(&enginehttp.Handler{
			Engine: guarding(t, anHourLeft()),
			Next:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }),
		})
		r := answered(t, srv, http.MethodGet)
		require.Equal(t, content, r.body)
		require.Equal(t, `"default";r=0;t=3600`, r.header.Get("RateLimit"))
	})
}

// failing reads as many bytes as it says, and then fails.
type failing int

func (f *failing) Read(b []byte) (int, error) {
	if *f == 0 {
		return 0, errPlanted
	}
	n := min(len(b), int(*f))
	*f -= failing(n)
	return n, nil
}

// TestASourceThatFails: as long as it has given nothing, the handler may answer with an error, and that is the status.
func TestASourceThatFails(t *testing.T) {
	eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
		for size, want := range map[int]int{0: 500, 1: 200, 5000: 200} {
			h := &enginehttp.Handler{
				Engine: guarding(t, opensAtOnce()),
				Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					source := failing(size)
					if n, err := io.Copy(w, &source); err != errPlanted || n != int64(size) {
						t.Errorf("%d, %v", n, err)
					}
					w.WriteHeader(500)
				}),
			}
			srv := serve(h)
			require.Equal(t, want, answered(t, srv, http.MethodPost).status)
			again := answered(t, srv, http.MethodPost).status
			if want == 500 {
				require.Equal(t, 503, again, "a failure")
			} else {
				require.Equal(t, 200, again, "a success")
			}
		}
	})
}

// TestAStatusAfterAFlushIsNone: what was flushed was a 200.
func TestAStatusAfterAFlushIsNone(t *testing.T) {
	for _, flush := range []func(http.ResponseWriter){
		func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		func(w http.ResponseWriter) { _, _ = w.Write(nil) },
		func(w http.ResponseWriter) { _, _ = io.WriteString(w, "") },
	} {
		eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
			srv := serve(&enginehttp.Handler{
				Engine: guarding(t, opensAtOnce()),
				Next:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { flush(w); w.WriteHeader(500) }),
			})
			require.Equal(t, 200, answered(t, srv, http.MethodPost).status)
			require.Equal(t, 200, answered(t, srv, http.MethodPost).status)
		})
	}
}

// wrapped offers nothing itself, but says what it wraps, as writers of middleware do.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TestResponseController: it reaches the server's writer through ours, and through others around it.
func TestResponseController(t *testing.T) {
	eachProtocol(t, func(t *testing.T, serve func(http.Handler) *httptest.Server) {
		h := &enginehttp.Handler{
			Engine: guarding(t, anHourLeft()),
			Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c := http.NewResponseController(w)
				if err := errors.Join(c.SetWriteDeadline(time.Now().Add(time.Minute)), c.EnableFullDuplex(), c.Flush()); err != nil {
					t.Error(err)
				}
				if got, want := offersOf(w), (offers{}); got != want {
					t.Errorf("%+v", got)
				}
				w.WriteHeader(500)
			}),
		}
		srv := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(wrapped{w}, r) }))
		r := answered(t, srv, http.MethodGet)
		require.Equal(t, 200, r.status, "it was flushed")
		require.Equal(t, `"default";r=0;t=3600`, r.header.Get("RateLimit"))
	})
}

// TestAFlushThatIsNotSupported sends nothing, so that the status is yet to come.
func TestAFlushThatIsNotSupported(t *testing.T) {
	h := &enginehttp.Handler{
		Engine: guarding(t, opensAtOnce()),
		Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			require.ErrorIs(t, http.NewResponseController(w).Flush(), http.ErrNotSupported)
			w.WriteHeader(500)
		}),
	}
	for _, want := range []int{500, 503} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(plain{rec}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		require.Equal(t, want, rec.Code)
	}
}
