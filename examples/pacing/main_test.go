package main

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// In a bubble the clock moves only when all goroutines wait: the output is exact, and takes no time.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), &out))
		require.Equal(t, `one job found no place: limiter: limited
job 1 started after 0s
job 2 started after 100ms
job 3 started after 200ms
job 4 started after 300ms
job 5 started after 400ms
`, out.String())
	})
}
