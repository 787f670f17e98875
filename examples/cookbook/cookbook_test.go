package cookbook

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/engine/enginenet"
	"github.com/limitpal/limitpal-go/limiter"
)

var errDown = errors.New("down")

// bubble runs f in a bubble.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// ends closes the engine of a recipe when its test ends.
func ends(t *testing.T, e *engine.Engine, err error) *engine.Engine {
	t.Helper()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	return e
}

// guarding returns an engine of cfg.
func guarding(t *testing.T, cfg engine.Config) *engine.Engine {
	t.Helper()
	e, err := engine.New(cfg)
	return ends(t, e, err)
}

// roundTrips is a RoundTripper that answers with statuses, one after the other.
type roundTrips struct{ statuses []int }

func (r *roundTrips) RoundTrip(*http.Request) (*http.Response, error) {
	status := r.statuses[0]
	r.statuses = r.statuses[1:]
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody}, nil
}

func TestAPIClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, err := apiClient()
		require.NoError(t, err)
		tr := c.Transport.(*enginehttp.Transport)
		ends(t, tr.Engine, nil)
		tr.Base = &roundTrips{statuses: []int{503, 503, 200}}
		resp, err := c.Get("http://api.example/v1")
		require.NoError(t, err)
		require.Equal(t, 200, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	})
}

func TestProvidersQuota(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, err := providersQuota()
		ends(t, e, err)
		began := time.Now()
		for range 100 {
			require.NoError(t, e.Run(t.Context(), "geocoder", func(context.Context) error { return nil }))
		}
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestDatabase(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, err := database()
		ends(t, e, err)
		query := func(ctx context.Context, id int) (string, error) {
			switch id {
			case 1:
				return "", sql.ErrNoRows
			default:
				<-ctx.Done()
				return "", ctx.Err()
			}
		}
		for range 30 {
			_, err = nameOf(t.Context(), e, query, nil, 1)
			require.ErrorIs(t, err, sql.ErrNoRows)
		}
		began := time.Now()
		name, err := nameOf(t.Context(), e, query, map[int]string{7: "Ada"}, 7)
		require.NoError(t, err)
		require.Equal(t, "Ada", name)
		require.Equal(t, 3*time.Second, time.Since(began))
		s, _ := e.Inspect("users")
		require.Equal(t, breaker.Counts{Calls: 31, Failures: 1, Slow: 1}, s.Window)
	})
}

func TestWebhooks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, err := webhooks()
		ends(t, e, err)
		var attempts []int
		answer := func(status int) func(context.Context, int) (int, error) {
			return func(_ context.Context, attempt int) (int, error) {
				attempts = append(attempts, attempt)
				return status, nil
			}
		}
		require.NoError(t, deliver(t.Context(), e, "ada", answer(200)))
		require.ErrorContains(t, deliver(t.Context(), e, "ada", answer(410)), "gone")
		require.ErrorContains(t, deliver(t.Context(), e, "bob", answer(503)), "status 503")
		require.Equal(t, []int{1, 1, 1, 2, 3, 4, 5}, attempts)
	})
}

func TestFanOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := guarding(t, engine.Config{})
		ask := func(ctx context.Context, replica string) (string, error) {
			if replica == "b" {
				return "from b", nil
			}
			<-ctx.Done()
			return "", ctx.Err()
		}
		v, err := fanOut(t.Context(), e, []string{"a", "b", "c"}, ask)
		require.NoError(t, err)
		require.Equal(t, "from b", v)
		_, err = fanOut(t.Context(), e, []string{"x"}, func(context.Context, string) (string, error) { return "", errDown })
		require.ErrorIs(t, err, errDown)
	})
}

func TestConsume(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := guarding(t, engine.Config{Breaker: &breaker.Policy{FailureThreshold: 2}})
		jobs := make(chan string, 4)
		for _, job := range []string{"1", "2", "3", "4"} {
			jobs <- job
		}
		close(jobs)
		var back []string
		consume(t.Context(), e, jobs, func(context.Context, string) error { return errDown }, func(job string, after time.Duration) {
			require.Equal(t, 5*time.Second, after)
			back = append(back, job)
		})
		require.Equal(t, []string{"3", "4"}, back)
	})
}

func TestBackground(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, err := background()
		ends(t, e, err)
		began := time.Now()
		for range 6 {
			require.NoError(t, e.Acquire(t.Context(), "thumbnails"))
		}
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestPlans(t *testing.T) {
	bubble(t, func(t *testing.T) {
		plan := map[string]string{"ada": "free", "bob": "pro"}
		e, err := plans(func(tenant string) string { return plan[tenant] })
		ends(t, e, err)
		require.True(t, e.AllowN("bob", 200))
		require.False(t, e.AllowN("ada", 11))
		require.False(t, e.AllowN("nobody", 11))
		require.True(t, e.AllowN("ada", 10))
		plan["ada"] = "pro"
		e.Refresh("ada")
		time.Sleep(2 * time.Second)
		require.True(t, e.AllowN("ada", 200))
	})
}

func TestLogin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := guarding(t, engine.Config{Limiter: limiter.TokenBucket{Capacity: 5, RefillRate: limiter.Per(1, 10*time.Minute)}})
		wrong, right := func() bool { return false }, func() bool { return true }
		for range 5 {
			ok, after := login(e, "ada", wrong)
			require.False(t, ok)
			require.Zero(t, after)
		}
		ok, after := login(e, "ada", right)
		require.False(t, ok, "also with the right one")
		require.Equal(t, 10*time.Minute, after)
		ok, _ = login(e, "bob", right)
		require.True(t, ok, "another account")
		time.Sleep(after)
		ok, _ = login(e, "ada", right)
		require.True(t, ok)
		for range 5 {
			_, after = login(e, "ada", wrong)
			require.Zero(t, after)
		}
	})
}

func TestUploads(t *testing.T) {
	below, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l, err := uploads(below)
	require.NoError(t, err)
	ends(t, l.(*enginenet.Listener).PerConn, nil)
	ends(t, l.(*enginenet.Listener).PerKey, nil)
	require.NoError(t, l.Close())
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	require.True(t, strings.HasPrefix(l.Addr().String(), "127.0.0.1:"))
}

func TestCron(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := guarding(t, engine.Config{Breaker: &breaker.Policy{FailureThreshold: 1, RecoveryTimeout: 90 * time.Minute}})
		runs := 0
		down := func(context.Context) error { runs++; return errDown }
		require.ErrorIs(t, cron(t.Context(), e, "backup", down), errDown)
		time.Sleep(time.Hour)
		require.NoError(t, cron(t.Context(), e, "backup", down))
		require.Equal(t, 1, runs)
		time.Sleep(time.Hour)
		require.ErrorIs(t, cron(t.Context(), e, "backup", down), errDown)
	})
}

func TestLanguageModel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e, err := budget()
		ends(t, e, err)
		began := time.Now()
		for range 3 {
			text, err := languageModel(t.Context(), e.Key("model"), func(context.Context) (string, int, error) { return "hello", 30_000, nil })
			require.NoError(t, err)
			require.Equal(t, "hello", text)
		}
		require.Equal(t, 40*time.Second, time.Since(began).Round(time.Second), "60,000 tokens less a full bucket")
	})
}
