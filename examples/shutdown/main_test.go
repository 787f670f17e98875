package main

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// The bubble also checks that Close left no goroutine behind.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), &out))
		require.Equal(t, `Close within 100ms: context deadline exceeded
  waiting for a token: engine: key "reports": engine: closed
  backing off: engine: key "mails": engine: closed; the last attempt failed: the mail server is down
  new since then: engine: key "invoices": engine: closed
Close once more: <nil>
  in flight: sent
`, out.String())
	})
}
