package enginehttp_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// hang is a dial that ends with its context, and calls no hook.
func hang(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// hangingDialer hangs before it connects.
func hangingDialer() *net.Dialer {
	return &net.Dialer{ControlContext: func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}}
}

// TestADialThatHangsIsAFailure, whatever dials. Only a wait that is sure to be for another
// connection of this process is none.
func TestADialThatHangsIsAFailure(t *testing.T) {
	own := func(t *http.Transport) { t.DialContext = hang }
	standard := func(t *http.Transport) { t.DialContext = hangingDialer().DialContext }
	for _, c := range []struct {
		name             string
		dialer           func(*http.Transport)
		most             int
		wrapped          bool
		waiting, hanging int // failures of an attempt that waits for another dial, and of one that dials
	}{
		{"net.Dialer", standard, 1, false, 0, 1},
		{"net.Dialer, within another", standard, 1, true, 1, 1},
		{"net.Dialer, no bound", standard, 0, false, 1, 1},
		{"around net.Dialer", func(t *http.Transport) {
			d := hangingDialer()
			t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				return d.DialContext(ctx, network, addr)
			}
		}, 1, false, 1, 1},
		{"own", own, 1, false, 1, 1},
		{"own, within another", own, 1, true, 1, 1},
		{"own, large bound", own, 1000, false, 1, 1},
		{"own, no bound", own, 0, false, 1, 1},
		{"own Dial", func(t *http.Transport) {
			t.Dial = func(network, addr string) (net.Conn, error) { //nolint:staticcheck // SA1019: callers still set it
				time.Sleep(time.Minute)
				return nil, errors.New("no answer")
			}
		}, 1, false, 1, 1},
	} {
		for _, bound := range []string{"attempt", "context"} {
			t.Run(c.name+"/"+bound, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					base := bare(t)
					base.MaxConnsPerHost = c.most
					c.dialer(base)
					eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
					tr := &enginehttp.Transport{Engine: eng, Base: base}
					if c.wrapped {
						tr.Base = &auditBase{RoundTripper: base}
					}
					try := func(ctx context.Context) int {
						tr, stop := &enginehttp.Transport{Engine: eng, Base: tr.Base}, context.CancelFunc(func() {})
						if bound == "attempt" {
							tr.AttemptTimeout = time.Second
						} else {
							ctx, stop = context.WithTimeout(ctx, time.Second)
						}
						defer stop()
						before := 0
						if s, known := eng.Inspect("192.0.2.1"); known {
							before = s.Failures
						}
						_, err := tr.RoundTrip(newRequest(t, "POST", "http://192.0.2.1/", nil).WithContext(ctx))
						require.ErrorIs(t, err, context.DeadlineExceeded)
						return failuresOf(t, eng, "192.0.2.1") - before
					}
					require.Equal(t, c.hanging, try(t.Context()))
					time.Sleep(2 * time.Minute) // of the bubble: the dial before has ended
					ctx, leave := context.WithCancel(t.Context())
					left := make(chan error)
					go func() { // ends with leave
						_, err := tr.RoundTrip(newRequest(t, "POST", "http://192.0.2.1/", nil).WithContext(ctx))
						left <- err
					}()
					synctest.Wait()
					waiting := try(t.Context())
					leave()
					require.ErrorIs(t, <-left, context.Canceled)
					time.Sleep(2 * time.Minute)
					require.Equal(t, c.waiting, waiting)
				})
			})
		}
	}
}

// timeUp is a context whose time is up when a test says so.
type timeUp struct {
	context.Context
	done chan struct{}
}

func (c timeUp) Deadline() (time.Time, bool) { return time.Now().Add(time.Hour), true }
func (c timeUp) Done() <-chan struct{}       { return c.done }

func (c timeUp) Err() error {
	select {
	case <-c.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestAConnectionOfOursThatIsWaitedFor: while as many are open as MaxConnsPerHost allows, a
// deadline says nothing about the upstream.
func TestAConnectionOfOursThatIsWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		base           *http.Transport
		most, failures int
	}{
		"net/http dials":              {&http.Transport{}, 1, 0},
		"as http.DefaultTransport":    {http.DefaultTransport.(*http.Transport).Clone(), 1, 0},
		"net/http dials, large bound": {&http.Transport{}, 2, 1},
		"net/http dials, no bound":    {&http.Transport{}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			u := startUpstream(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			})
			c.base.MaxConnsPerHost = c.most
			t.Cleanup(c.base.CloseIdleConnections)
			eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
			tr := &enginehttp.Transport{Engine: eng, Base: c.base}
			long, err := tr.RoundTrip(newRequest(t, "GET", u.URL, nil))
			require.NoError(t, err)
			defer long.Body.Close()
			ctx := timeUp{t.Context(), make(chan struct{})}
			end := func() { close(ctx.done) }
			returned := make(chan struct{})
			hooks := &httptrace.ClientTrace{ConnectStart: func(string, string) {
				end()
				<-returned // else the dial may be over, and the request answered, before anybody has seen the end
			}}
			if c.failures == 0 { // there will be no dial
				hooks = &httptrace.ClientTrace{GetConn: func(string) { end() }}
			}
			_, err = tr.RoundTrip(newRequest(t, "POST", u.URL, nil).WithContext(httptrace.WithClientTrace(ctx, hooks)))
			close(returned)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, c.failures, failuresOf(t, eng, u.host()))
		})
	}
}
