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
		require.Equal(t, `time=2000-01-01T00:00:00.250Z level=INFO msg=now "upstream down"=false breaker=closed "price is current"=true
time=2000-01-01T00:00:00.288Z level=WARN msg=tripped engine=feed key=prices from=closed to=open reason="5 failures in a row, the last: the upstream is down" until=2000-01-01T00:00:00.348Z
time=2000-01-01T00:00:00.348Z level=INFO msg=probing engine=feed key=prices from=open to=half-open
time=2000-01-01T00:00:00.348Z level=WARN msg=tripped engine=feed key=prices from=half-open to=open reason="a probe failed: the upstream is down" until=2000-01-01T00:00:00.408Z
time=2000-01-01T00:00:00.408Z level=INFO msg=probing engine=feed key=prices from=open to=half-open
time=2000-01-01T00:00:00.408Z level=WARN msg=tripped engine=feed key=prices from=half-open to=open reason="a probe failed: the upstream is down" until=2000-01-01T00:00:00.468Z
time=2000-01-01T00:00:00.468Z level=INFO msg=probing engine=feed key=prices from=open to=half-open
time=2000-01-01T00:00:00.468Z level=WARN msg=tripped engine=feed key=prices from=half-open to=open reason="a probe failed: the upstream is down" until=2000-01-01T00:00:00.528Z
time=2000-01-01T00:00:00.500Z level=INFO msg=now "upstream down"=true breaker=open "price is current"=false
time=2000-01-01T00:00:00.528Z level=INFO msg=probing engine=feed key=prices from=open to=half-open
time=2000-01-01T00:00:00.528Z level=INFO msg=recovered engine=feed key=prices from=half-open to=closed
time=2000-01-01T00:00:00.750Z level=INFO msg=now "upstream down"=false breaker=closed "price is current"=true
`, out.String())
	})
}
