package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// load reads a file that must be valid.
func load(t *testing.T, file string) *config.Config {
	t.Helper()
	c, err := config.Load([]byte(file))
	require.NoError(t, err)
	return c
}

// smallest is the smallest file, and withRoute one with more in its route.
const smallest = `{"routes": [{"path": "/", "upstream": "http://127.0.0.1:9000"}]}`

func withRoute(more string) string {
	return `{"routes": [{"path": "/", "upstream": "http://127.0.0.1:9000", ` + more + `}]}`
}
