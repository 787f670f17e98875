package limiter_test

import (
	"testing"
	"time"

	"github.com/limitpal/limitpal-go/limiter"
)

const (
	ms     = int64(time.Millisecond)
	second = int64(time.Second)
)

// key is what the engine keeps for one key, the full-ats of its limits, with the steps in which the engine uses them.
type key struct {
	limits  limiter.Limits
	fullAts []int64
}

func newKey(t testing.TB, l limiter.Limiter, now int64) *key {
	limits, err := limiter.Compile(l)
	if err != nil {
		t.Fatal(err)
	}
	k := &key{limits: limits, fullAts: make([]int64, len(limits))}
	limits.Reset(k.fullAts, now)
	return k
}

func (k *key) ready(now, n int64, mode limiter.Mode) int64 {
	return k.limits.Ready(k.fullAts, now, n, mode)
}

// try is one decision: Allow with limiter.Immediate, an Acquire that need not queue with limiter.Queued.
func (k *key) try(now, n int64, mode limiter.Mode) bool {
	if !k.limits.Holds(n) || k.ready(now, n, mode) > now {
		return false
	}
	k.limits.Debit(k.fullAts, now, n)
	return true
}

func (k *key) allow(now, n int64) bool { return k.try(now, n, limiter.Immediate) }

// drain takes single tokens at now until there are none, and counts them, to 1000 at most.
func (k *key) drain(now int64) (n int) {
	for n < 1000 && k.allow(now, 1) {
		n++
	}
	return n
}

// status is the status of limit i with nobody waiting.
func (k *key) status(i int, now int64) limiter.Status {
	return k.limits.Status(i, k.fullAts, k.fullAts, now, 0)
}
