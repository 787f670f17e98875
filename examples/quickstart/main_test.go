package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunTooShortOrTooLong(t *testing.T) {
	for _, length := range []time.Duration{-time.Second, time.Second - 1, 24*time.Hour + 1} {
		require.ErrorContains(t, run(t.Context(), &loopback{}, nil, 1, length), "from 1s to 24h")
	}
}

// TestLoopback has the server answer on the network that the program uses.
func TestLoopback(t *testing.T) {
	up, err := startUpstream(&loopback{}, newSchedule(1, 24*time.Hour), time.Now())
	require.NoError(t, err)
	client := newClient(&loopback{})
	client.Timeout = 0 // the machine may be busy
	answer, err := fetch(t.Context(), client, up.url(tenants[0]))
	require.NoError(t, err)
	require.Equal(t, "OK", answer)
	client.CloseIdleConnections()
	require.NoError(t, up.close())
}

func TestFetch(t *testing.T) {
	for _, row := range []struct {
		name       string
		code       int
		retryAfter string
		attempts   int
		outcome    engine.Outcome
	}{
		{"a failure is tried again", 503, "", 2, engine.Failure},
		{"what is asked wrongly is not", 404, "", 1, engine.Ignore},
		{"busy is tried again", 429, "0", 2, engine.Ignore},
		{"but not before it said, when that is too late", 429, "3600", 1, engine.Ignore},
	} {
		t.Run(row.name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests++
				w.Header().Set("Retry-After", row.retryAfter)
				w.WriteHeader(row.code)
			}))
			defer server.Close()

			_, err := retry.Do(t.Context(), retry.Policy{MaxAttempts: 2, BaseDelay: time.Nanosecond},
				func(ctx context.Context) (string, error) { return fetch(ctx, server.Client(), server.URL) })
			require.ErrorIs(t, err, status(row.code))
			require.Equal(t, row.attempts, requests)
			require.Equal(t, row.outcome, classify(err))
		})
	}
}

func TestRetryAfter(t *testing.T) {
	header := func(value string) http.Header { return http.Header{"Retry-After": {value}} }
	require.Equal(t, 7*time.Second, retryAfter(header("7")))
	require.Zero(t, retryAfter(header("soon")))
	synctest.Test(t, func(t *testing.T) { // where it is a whole second
		date := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
		require.Equal(t, time.Hour, retryAfter(header(date)))
	})
}
