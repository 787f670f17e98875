//go:build !race

package enginenet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
)

// TestACallThatNeedNotWaitAllocatesNothing, deadlines or not.
func TestACallThatNeedNotWaitAllocatesNothing(t *testing.T) {
	perConn := startWith(t, engine.Config{Limiter: bucket(1<<30, 1<<30)})
	perKey := startWith(t, engine.Config{Limiter: bucket(1<<30, 1<<30)})
	c := enginenet.Wrap(sink{newWire(nil, endless{})}, only(perConn), only(perKey))
	buf := make([]byte, 10*kib)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		_ = c.SetDeadline(time.Now().Add(time.Hour))
		_, _ = c.Write(buf)
		_, _ = c.Read(buf)
		_, _ = c.Write(buf[:1])
	}))
}
