package linear_test

import (
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // a checker makes little but garbage
	goleak.VerifyTestMain(m)
}
