package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The whole program in real time, since a real server on the loopback interface knows no other.
func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, 1, time.Second))

	row := tableOf(t, out.String())
	for _, tenant := range tenants {
		r := row[tenant.name]
		require.Positive(t, r["ok"], "%s:\n%s", tenant.name, &out)
		require.Equal(t, r["calls"], r["ok"]+r["limited"]+r["refused"]+r["failed"], tenant.name)
		require.GreaterOrEqual(t, r["attempts"], r["ok"]+r["failed"], tenant.name)
		if tenant.trouble == dying {
			require.Positive(t, r["refused"], "the breaker of the sick tenant:\n%s", &out)
		} else {
			require.Zero(t, r["refused"], "the breaker of %s, whose upstream is well:\n%s", tenant.name, &out)
		}
	}
	require.Positive(t, row["delta"]["limited"], "the greedy tenant:\n%s", &out)
	require.Contains(t, out.String(), "charlie  closed → open")
	require.NotContains(t, out.String(), "\x1b", "colours without a terminal")
	require.NotContains(t, out.String(), "\r", "a line redrawn without a terminal")
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), 100, line)
	}
}

func TestRunInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer time.AfterFunc(300*time.Millisecond, cancel).Stop()
	var out bytes.Buffer
	require.NoError(t, run(ctx, &out, 1, time.Hour))
	require.Positive(t, tableOf(t, out.String())["alpha"]["ok"])
	require.NotContains(t, out.String(), "→ open")
}

func TestRunTooShort(t *testing.T) {
	require.ErrorContains(t, run(t.Context(), &bytes.Buffer{}, 1, time.Millisecond), "at least 1s")
}

// tableOf reads the counts of a report: the columns by tenant.
func tableOf(t *testing.T, text string) map[string]map[string]int {
	t.Helper()
	_, text, found := strings.Cut(text, "\ntenant ")
	require.True(t, found, text)
	lines := strings.Split(text, "\n")
	columns := strings.Fields(lines[0])
	rows := map[string]map[string]int{}
	for _, line := range lines[1 : 1+len(tenants)] {
		cells := strings.Fields(line)
		row := map[string]int{}
		for i, column := range columns[:6] { // after that come durations
			n, err := strconv.Atoi(cells[i+1])
			require.NoError(t, err, line)
			row[column] = n
		}
		rows[cells[0]] = row
	}
	return rows
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
			defer client.CloseIdleConnections()

			_, err := retry.Do(t.Context(), retry.Policy{MaxAttempts: 2, BaseDelay: time.Nanosecond},
				func(ctx context.Context) (string, error) { return fetch(ctx, server.URL) })
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
	date := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	require.InDelta(t, time.Hour, retryAfter(header(date)), float64(time.Minute))
}
