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
		require.Equal(t, `ann: 4 of 4 calls served, 2.0 tokens left
pat: 50 of 50 calls served, 10.0 tokens left
ann buys the plan of pat: her 2 tokens stay, and 6 a second come
ann: 5 of 10 calls served, 0.6 tokens left
pat gives the plan back: 6 of 13 tokens stay, and 6 come in 10 s
pat: 6 of 10 calls served, 0.0 tokens left
an attack at night: without a plan there is 1 call in 10 s now
eve: 1 of 5 calls served, 0.0 tokens left
a typing error changes nothing:
Limiter.Capacity must be fixed: must be at least 1
the attack is over, and a caller that waits goes sooner:
pat waited for 1.5s more
`, out.String())
	})
}
