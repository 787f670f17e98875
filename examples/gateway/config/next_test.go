package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// A field that cannot change while the gateway runs is a mistake with a place, also if the field is
// left out; and so is any other mistake of the file.
func TestNext(t *testing.T) {
	before, err := config.Load([]byte(`{"listen": ":80", "log": "json", "admin": ":90", "admin_force": true, "timeouts": {"idle": "1m"}, ` + smallest[1:]))
	require.NoError(t, err)
	for _, row := range []struct{ file, want string }{
		{`{"listen": ":80", "log": "json", "admin": "127.0.0.1:90", "admin_force": true, "timeouts": {"idle": "60s", "read": "5s", "stall": "1s", "half_closed": "1s"}, "shutdown": "1s",
			"trusted_proxies": 1, "max_client_connections": 5, "connection": {"rate": "1MB/s"}, ` + smallest[1:], ""},
		{smallest, "1:1: listen: cannot change from :80 to :8080 while the gateway runs; start the gateway again\n" +
			"1:1: admin: cannot change from 127.0.0.1:90 to no address while the gateway runs; start the gateway again\n" +
			"1:1: admin_force: cannot change from true to false while the gateway runs; start the gateway again\n" +
			"1:1: log: cannot change from json to text while the gateway runs; start the gateway again\n" +
			"1:1: timeouts.idle: cannot change from 1m to 2m while the gateway runs; start the gateway again"},
		{"{\n \"admin\": \":90\", \"admin_force\": true, \"listen\": \":81\", \"lag\": \"text\", \"max_header_bytes\": \"8KiB\",\n \"timeouts\": {\"write\": \"1s\", \"read_header\": 5, \"idle\": \"1m\"}, " + smallest[1:],
			"2:49: listen = \":81\": cannot change from :80 to :81 while the gateway runs; start the gateway again\n" +
				"2:56: lag = \"text\": unknown field; did you mean \"log\"?\n" +
				"2:91: max_header_bytes = \"8KiB\": cannot change from 64KiB to 8KiB while the gateway runs; start the gateway again\n" +
				"3:24: timeouts.write = \"1s\": cannot change from no bound to 1s while the gateway runs; start the gateway again\n" +
				"3:45: timeouts.read_header = 5: must be a string, not a number"},
	} {
		next, err := before.Next([]byte(row.file))
		if row.want != "" {
			require.Nil(t, next)
			require.EqualError(t, err, row.want)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, config.Size(64<<10), next.MaxHeaderBytes)
		require.Equal(t, ":80", next.Listen)
	}
}
