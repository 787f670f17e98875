package main

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// In a bubble no token comes back while the program runs, however busy the machine is.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), &out))
		require.Equal(t, `noisy asked 1000 times: 10 allowed
quiet asks once: true
quiet sends a batch of 20: false
quiet sends a batch of 6: true
noisy has 0 tokens left
quiet has 3 tokens left
never seen is not known: looking does not create a key
noisy again: limiter: limited, come back in 6s
`, out.String())
	})
}
