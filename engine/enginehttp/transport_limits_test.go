package enginehttp_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// limitsOfASecond are the ways to give an attempt a second until its response has been read. cause is that of the context.
var limitsOfASecond = map[string]struct {
	field         time.Duration // Transport.AttemptTimeout
	attempt, call time.Duration // of the engine
	cause         error
}{
	"field":                       {time.Second, 0, 0, engine.ErrAttemptTimeout},
	"engine":                      {0, time.Second, 0, engine.ErrAttemptTimeout},
	"call":                        {0, 0, time.Second, engine.ErrTimeout},
	"field, shorter than engine":  {time.Second, time.Minute, time.Hour, engine.ErrAttemptTimeout},
	"engine, shorter than field":  {time.Minute, time.Second, time.Hour, engine.ErrAttemptTimeout},
	"call, shorter than the rest": {time.Minute, time.Minute, time.Second, engine.ErrTimeout},
}

// eachLimit runs test with Transports that give an attempt a second, alone and in a chain, and with the engine of the limits.
func eachLimit(t *testing.T, cfg engine.Config, test func(t *testing.T, tr *enginehttp.Transport, eng *engine.Engine, cause error)) {
	for name, c := range limitsOfASecond {
		for _, chain := range []bool{false, true} {
			t.Run(name+map[bool]string{true: "/chain"}[chain], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cfg := cfg
					cfg.AttemptTimeout, cfg.Timeout = c.attempt, c.call
					eng := transportEngine(t, cfg)
					tr := &enginehttp.Transport{Engine: eng, AttemptTimeout: c.field}
					if chain {
						narrow := transportEngine(t, engine.Config{})
						tr.Engine, tr.Chain = nil, func(*http.Request) (engine.Key, error) { return engine.Chain(narrow.Key("u"), eng.Key("h")), nil }
					}
					test(t, tr, eng, c.cause)
				})
			})
		}
	}
}

// timedOut checks what the reader of a response, or the caller of RoundTrip, sees of a time limit.
func timedOut(t *testing.T, err, cause error) {
	t.Helper()
	require.ErrorIs(t, err, cause)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	require.True(t, ok && timeout.Timeout())
}

// bodiesOf are requests without a body, with one in memory, and with one that a client has yet to send.
var bodiesOf = map[string]func() io.Reader{
	"none":   func() io.Reader { return nil },
	"memory": func() io.Reader { return strings.NewReader("x") },
	"stream": func() io.Reader { return io.MultiReader(strings.NewReader("x")) },
}

// TestATimeLimitBoundsTheResponse until it has been read.
func TestATimeLimitBoundsTheResponse(t *testing.T) {
	cfg := engine.Config{Breaker: counting, Concurrency: limiter.InFlight{Max: 1}}
	eachLimit(t, cfg, func(t *testing.T, tr *enginehttp.Transport, eng *engine.Engine, cause error) {
		for _, status := range []int{200, 404, 500} {
			for name, body := range bodiesOf {
				for _, finish := range []string{"close", "end", "late"} {
					_, base := scripted(t, engine.Config{}, status)
					tr.Base = base
					resp, err := tr.RoundTrip(newRequest(t, "POST", "http://h/", body()))
					require.NoError(t, err)
					time.Sleep(time.Second - 1)
					synctest.Wait()
					require.NoError(t, base.contexts[0].Err(), name)
					require.Equal(t, 1, eng.Stats().InFlight)
					switch finish {
					case "close":
						require.NoError(t, resp.Body.Close())
						require.Equal(t, context.Canceled, base.contexts[0].Err())
					case "end":
						_, err = io.ReadAll(resp.Body)
						require.NoError(t, err)
						require.Equal(t, context.Canceled, base.contexts[0].Err())
					case "late":
						time.Sleep(time.Nanosecond)
						synctest.Wait()
						require.Equal(t, context.DeadlineExceeded, base.contexts[0].Err())
						_, err = resp.Body.Read(make([]byte, 1))
						timedOut(t, err, cause)
					}
					require.Zero(t, eng.Stats().InFlight, "%s, %s", name, finish)
					require.NoError(t, resp.Body.Close())
				}
			}
		}
		require.Zero(t, eng.Stats().TimedOut, "the attempts had been judged")
		require.EqualValues(t, 9, eng.Stats().Failures, "of status 500")
	})
}

// TestAServerThatHangsUntilATimeLimit has failed, whether it owes the header or the body; if the header, its breaker hears of it.
func TestAServerThatHangsUntilATimeLimit(t *testing.T) {
	eachLimit(t, engine.Config{Breaker: counting}, func(t *testing.T, tr *enginehttp.Transport, eng *engine.Engine, cause error) {
		p := startPipePeer(t, stall, stallBody)
		tr.Base = p.base
		client, began := &http.Client{Transport: tr}, time.Now()
		_, err := client.Get(p.url)
		require.Equal(t, time.Second, time.Since(began))
		timedOut(t, err, cause)
		require.True(t, err.(*url.Error).Timeout())
		require.EqualValues(t, 1, eng.Stats().Failures)
		if tr.AttemptTimeout != time.Second {
			require.EqualValues(t, 1, eng.Stats().TimedOut)
		}

		began = time.Now()
		resp, err := client.Get(p.url)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.Equal(t, time.Second, time.Since(began))
		timedOut(t, err, cause)
		require.Equal(t, "01234", string(body))
		require.NoError(t, resp.Body.Close())
		require.EqualValues(t, 1, eng.Stats().Failures)
	})
}

// TestEachAttemptHasTheTimeOfAnAttempt, and all of them together that of the call.
func TestEachAttemptHasTheTimeOfAnAttempt(t *testing.T) {
	policy := &retry.Policy{MaxAttempts: 3, BaseDelay: time.Millisecond, Jitter: retry.NoJitter}
	eachLimit(t, engine.Config{Retry: policy, Breaker: counting}, func(t *testing.T, tr *enginehttp.Transport, eng *engine.Engine, cause error) {
		p := startPipePeer(t, stall, stall, stallBody)
		tr.Base = p.base
		client, began := &http.Client{Transport: tr}, time.Now()
		resp, err := client.Get(p.url)
		if cause == engine.ErrTimeout {
			timedOut(t, err, cause)
			require.Equal(t, time.Second, time.Since(began))
			require.True(t, err.(*url.Error).Timeout())
			return
		}
		require.NoError(t, err)
		require.Equal(t, 2, int(time.Since(began)/time.Second))
		_, err = io.ReadAll(resp.Body)
		timedOut(t, err, cause)
		require.Equal(t, 3, int(time.Since(began)/time.Second))
		require.NoError(t, resp.Body.Close())
		require.EqualValues(t, 2, eng.Stats().Failures)
	})
}

// TestAResponseThatIsKeptCanBeRead in the time that its attempt has left, also if it was to be followed by a better one.
func TestAResponseThatIsKeptCanBeRead(t *testing.T) {
	policy := &retry.Policy{MaxAttempts: 2, BaseDelay: 100 * time.Millisecond, Backoff: 1, Jitter: retry.NoJitter}
	eachLimit(t, engine.Config{Retry: policy}, func(t *testing.T, tr *enginehttp.Transport, eng *engine.Engine, cause error) {
		for _, closes := range []bool{false, true} {
			_, base := scripted(t, engine.Config{}, 503, 503)
			tr.Base = base
			if closes { // while the engine waits
				time.AfterFunc(50*time.Millisecond, func() { require.NoError(t, eng.Close(t.Context())) })
			}
			resp, err := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
			require.NoError(t, err)
			require.Equal(t, closes, len(base.contexts) == 1)
			if !closes {
				require.Equal(t, context.Canceled, base.contexts[0].Err(), "its response was discarded")
			}
			ctx := base.contexts[len(base.contexts)-1]
			require.NoError(t, ctx.Err())
			n, err := resp.Body.Read(make([]byte, 2))
			require.NoError(t, err)
			require.Equal(t, 2, n)
			time.Sleep(time.Second)
			synctest.Wait()
			_, err = resp.Body.Read(make([]byte, 2))
			timedOut(t, err, cause)
			require.NoError(t, resp.Body.Close())
		}
	})
}

// TestTheTimeoutOfACallInAQueue between two attempts: the response before cannot be read any more, and is closed.
func TestTheTimeoutOfACallInAQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		eng := transportEngine(t, engine.Config{
			Timeout: time.Second, Concurrency: limiter.InFlight{Max: 1}, Retry: &retry.Policy{MaxAttempts: 2, BaseDelay: time.Millisecond, Jitter: retry.NoJitter},
		})
		_, base := scripted(t, engine.Config{}, 503, 200)
		audit := &auditBase{RoundTripper: base}
		tr := &enginehttp.Transport{Engine: eng, Base: transportFunc(func(r *http.Request) (*http.Response, error) {
			resp, err := audit.RoundTrip(r)
			go func() { // takes the place that this attempt leaves; ends with the test
				_ = eng.Run(t.Context(), "h", func(ctx context.Context) error { time.Sleep(time.Hour); return nil })
			}()
			synctest.Wait()
			return resp, err
		})}
		began := time.Now()
		_, err := (&http.Client{Transport: tr}).Do(newRequest(t, "GET", "http://h/", nil))
		require.Equal(t, time.Second, time.Since(began))
		timedOut(t, err, engine.ErrTimeout)
		require.True(t, err.(*url.Error).Timeout())
		require.ErrorContains(t, err, "503 Service Unavailable")
		require.EqualValues(t, 1, audit.sent.Load())
		require.EqualValues(t, 1, audit.closed.Load())
		time.Sleep(time.Hour)
	})
}

// TestASwitchOfProtocolsUnderATimeLimit: net/http lets the connection be used in both directions for as long as it is open.
func TestASwitchOfProtocolsUnderATimeLimit(t *testing.T) {
	eachLimit(t, engine.Config{Concurrency: limiter.InFlight{Max: 1}}, func(t *testing.T, tr *enginehttp.Transport, eng *engine.Engine, _ error) {
		tr.Base = pipeTransport(t, false, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_ = rw.Flush()
			_, _ = io.Copy(conn, rw.Reader)
		}))
		req := newRequest(t, "GET", "http://h/", nil)
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "echo")
		resp, err := tr.RoundTrip(req)
		require.NoError(t, err)
		conn := resp.Body.(io.ReadWriteCloser)
		lines := bufio.NewReader(conn)
		for range 3 {
			time.Sleep(time.Hour)
			go func() { _, _ = io.WriteString(conn, "hello\n") }() // ends with the read; a net.Pipe has no buffer
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "hello\n", line)
			require.Equal(t, 1, eng.Stats().InFlight)
		}
		require.NoError(t, conn.Close())
		require.Zero(t, eng.Stats().InFlight)
	})
}
