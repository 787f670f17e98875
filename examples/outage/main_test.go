package main

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), &out))
		require.Equal(t, `upstream down: false  breaker closed: true   price is current: true
upstream down: true   breaker closed: false  price is current: false
upstream down: false  breaker closed: true   price is current: true
`, out.String())
	})
}
