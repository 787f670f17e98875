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
		require.Equal(t, `ann of acme is served
ann of acme is served
ann of acme is served
bob of acme is refused by the limit of the tenant, come back in 200ms
bob has 5 of 5 tokens
eve of globex is served
bob of acme is refused by the limit of the tenant, come back in 500ms
bob has 5 of 5 tokens
pam, pat and pia of initech wait, then eve of globex comes, and pia hangs up:
pia has 5 of 5 tokens
eve of globex is served
pam of initech is served
pat of initech is served
`, out.String())
	})
}
