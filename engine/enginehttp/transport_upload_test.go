package enginehttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
)

// recovering is a breaker that one failure opens for a second.
var recovering = &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: time.Second, ProbeTimeout: time.Minute}

// readingBase reads the body of a request to its end and answers. A request without a body is answered at once.
func readingBase(status *atomic.Int64) transportFunc {
	return func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return nil, err
			}
			if err := r.Body.Close(); err != nil {
				return nil, err
			}
		}
		return &http.Response{StatusCode: int(status.Load()), Body: http.NoBody, Header: http.Header{}}, nil
	}
}

// upload starts a POST whose body comes from the pipe that it returns. The channel gets the error of RoundTrip.
func upload(t *testing.T, rt http.RoundTripper) (*io.PipeWriter, chan error) {
	t.Helper()
	body, client := io.Pipe()
	done := make(chan error, 1)
	req := newRequest(t, "POST", "http://h/", body)
	go func() { // ends with the request
		resp, err := rt.RoundTrip(req)
		if err == nil {
			err = resp.Body.Close()
		}
		done <- err
	}()
	return client, done
}

// get is a GET that has nothing to send.
func get(t *testing.T, rt http.RoundTripper) error {
	t.Helper()
	resp, err := rt.RoundTrip(newRequest(t, "GET", "http://h/", nil))
	if err == nil {
		err = resp.Body.Close()
	}
	return err
}

// TestASlowUploadKeepsNoProbe: while a client has yet to send its body, another request is the probe. The upload goes on.
func TestASlowUploadKeepsNoProbe(t *testing.T) {
	for name, dribble := range map[string]bool{"silent": false, "dribbling": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var status atomic.Int64
				status.Store(500)
				eng := transportEngine(t, engine.Config{Breaker: recovering})
				tr := &enginehttp.Transport{Engine: eng, Base: readingBase(&status)}
				require.NoError(t, get(t, tr)) // a failure
				require.ErrorIs(t, get(t, tr), breaker.ErrOpen)
				time.Sleep(time.Second)

				status.Store(200)
				client, done := upload(t, tr)
				synctest.Wait()
				require.ErrorIs(t, get(t, tr), breaker.ErrOpen, "the upload is the probe")
				for range 50 {
					time.Sleep(10 * time.Millisecond)
					if dribble {
						_, err := client.Write([]byte("x"))
						require.NoError(t, err)
					}
				}
				require.NoError(t, get(t, tr), "and then it is not")
				s, _ := eng.Inspect("h")
				require.Equal(t, breaker.Closed, s.Breaker)
				_, err := client.Write([]byte("the rest"))
				require.NoError(t, err)
				require.NoError(t, client.Close())
				require.NoError(t, <-done)
			})
		})
	}
}

// TestASlowUploadIsAProbeInTheEnd, when it has ended and no other request has been one.
func TestASlowUploadIsAProbeInTheEnd(t *testing.T) {
	for status, want := range map[int64]breaker.State{200: breaker.Closed, 503: breaker.Open, 429: breaker.HalfOpen} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var answer atomic.Int64
				answer.Store(500)
				eng := transportEngine(t, engine.Config{Breaker: recovering})
				tr := &enginehttp.Transport{Engine: eng, Base: readingBase(&answer)}
				require.NoError(t, get(t, tr))
				time.Sleep(time.Second)
				answer.Store(status)
				client, done := upload(t, tr)
				time.Sleep(10 * time.Second)
				require.NoError(t, client.Close())
				require.NoError(t, <-done)
				s, _ := eng.Inspect("h")
				require.Equal(t, want, s.Breaker)
			})
		})
	}
}

// TestAnUploadThatIsServedIsJudged like any other request, if no probe is in question.
func TestAnUploadThatIsServedIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status atomic.Int64
		status.Store(500)
		eng := transportEngine(t, engine.Config{Breaker: counting, Retry: thrice, Limiter: limiter.TokenBucket{
			Capacity: 2, RefillRate: limiter.Per(1, time.Hour),
		}, MaxWait: engine.NoWait})
		tr := &enginehttp.Transport{Engine: eng, Base: readingBase(&status)}
		for n := range 2 {
			client, done := upload(t, tr)
			require.NoError(t, client.Close())
			require.NoError(t, <-done)
			require.Equal(t, n+1, failuresOf(t, eng, "h"))
		}
		_, done := upload(t, tr)
		require.ErrorIs(t, <-done, limiter.ErrLimited)
	})
}

// TestAClientThatIsTooSlowIsNoFailure of the upstream, whichever bound is hit, and RoundTrip does not wait for that client.
func TestAClientThatIsTooSlowIsNoFailure(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for _, bound := range []string{"attempt", "context", "client"} {
			t.Run(fmt.Sprintf("http2=%v/%s", http2, bound), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					base := pipeTransport(t, http2, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { swallow(0, w, r) }))
					eng := transportEngine(t, engine.Config{Breaker: counting, Retry: thrice})
					tr := &enginehttp.Transport{Engine: eng, Base: base}
					client := &http.Client{Transport: tr}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					switch bound {
					case "attempt":
						tr.AttemptTimeout = time.Second
					case "context":
						var stop context.CancelFunc
						ctx, stop = context.WithTimeout(ctx, time.Second)
						defer stop()
					case "client":
						client.Timeout = time.Second
					}
					body, never := io.Pipe()
					defer never.Close()
					begun := time.Now()
					_, err := client.Do(newRequest(t, "POST", "http://h/", body).WithContext(ctx))
					require.ErrorIs(t, err, context.DeadlineExceeded)
					require.Equal(t, time.Second, time.Since(begun))
					require.Zero(t, failuresOf(t, eng, "h"))
				})
			})
		}
	}
}

// TestAServerThatDoesNotTakeABodyIsAFailure, nor is one that does not answer: what is awaited is the server.
func TestAServerThatDoesNotTakeABodyIsAFailure(t *testing.T) {
	for name, length := range map[string]int64{"takes no body": 1 << 30, "does not answer": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				given := make(chan struct{})
				base := pipeTransport(t, false, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if length == 1 {
						_, _ = io.Copy(io.Discard, r.Body)
					}
					<-given
				}))
				defer close(given)
				eng := transportEngine(t, engine.Config{Breaker: counting})
				tr := &enginehttp.Transport{Engine: eng, Base: base, AttemptTimeout: time.Second}
				_, err := tr.RoundTrip(newRequest(t, "POST", "http://h/", io.LimitReader(zeros{}, length)))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, 1, failuresOf(t, eng, "h"))
			})
		})
	}
}

// TestAServerThatIsKeptWaiting, and gives up, has not failed. One that gives up at once, or has all of the body, has.
func TestAServerThatIsKeptWaiting(t *testing.T) {
	errReset := errors.New("connection reset by peer")
	for _, c := range []struct {
		name     string
		patience time.Duration
		whole    bool
		failures int
	}{
		{"gives up", 30 * time.Second, false, 0},
		{"resets at once", time.Millisecond, false, 1},
		{"has it all", 30 * time.Second, true, 1},
	} {
		for _, status := range []int{0, 500, 503} {
			t.Run(fmt.Sprint(c.name, " ", status), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					eng := transportEngine(t, engine.Config{Breaker: counting})
					tr := &enginehttp.Transport{Engine: eng, Base: transportFunc(func(r *http.Request) (*http.Response, error) {
						read := make(chan struct{})
						go func() { // ends with the body
							_, _ = io.Copy(io.Discard, r.Body)
							close(read)
						}()
						time.Sleep(c.patience)
						defer func() { _ = r.Body.Close(); <-read }()
						if status == 0 {
							return nil, errReset
						}
						return &http.Response{StatusCode: status, Body: http.NoBody}, nil
					})}
					client, done := upload(t, tr)
					if c.whole {
						require.NoError(t, client.Close())
					}
					if err := <-done; status == 0 {
						require.Equal(t, errReset, err)
					}
					require.Equal(t, c.failures, failuresOf(t, eng, "h"))
				})
			})
		}
	}
}

// TestAClientThatHangsUpIsNoFailure: through a reverse proxy's Transport, a body that breaks off is that of the client.
func TestAClientThatHangsUpIsNoFailure(t *testing.T) {
	u := startUpstream(t, swallow)
	eng := transportEngine(t, engine.Config{Breaker: counting})
	client, _ := u.guarded(eng)
	ended := make(chan error, 1)
	front := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := client.Do(newRequest(t, "POST", u.URL, r.Body))
		ended <- err
	}))
	defer front.Close()
	conn, err := net.Dial("tcp", front.Listener.Addr().String())
	require.NoError(t, err)
	say(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n"+strings.Repeat("x", 50))
	require.NoError(t, conn.Close())
	require.Error(t, <-ended)
	require.Zero(t, failuresOf(t, eng, u.host()))
}

// TestABodyThatFailsWhenItIsSentAgain: an http.Transport whose connection turns out to be closed asks for the body once more.
func TestABodyThatFailsWhenItIsSentAgain(t *testing.T) {
	eng := transportEngine(t, engine.Config{Breaker: counting})
	tr := &enginehttp.Transport{Engine: eng, Base: transportFunc(func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		again, err := r.GetBody()
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, again)
		return nil, err
	})}
	req := newRequest(t, "PUT", "http://h/", io.MultiReader(strings.NewReader("abc")))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(&brokenReader{"a", errDiskGone}), nil }
	_, err := tr.RoundTrip(req)
	require.Equal(t, errDiskGone, err)
	require.Zero(t, failuresOf(t, eng, "h"))
}
