package breaker_test

import (
	"testing"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
)

// FuzzRates plays a schedule against the naive model, by a policy with rates. Every byte of ops is a step, as in FuzzCircuit; the last bit of
// the end of a call says whether it was slow.
func FuzzRates(f *testing.F) {
	f.Add(uint8(0), uint8(128), uint8(0), uint8(2), uint8(10), uint8(0), uint8(5), []byte{64, 64, 64, 128, 129, 130, 5, 64, 131, 30, 64, 5, 64})
	f.Add(uint8(9), uint8(64), uint8(200), uint8(1), uint8(0), uint8(7), uint8(9), []byte{64, 128, 5, 64, 64, 64, 193, 194, 64, 63})
	f.Add(uint8(0), uint8(0), uint8(255), uint8(4), uint8(3), uint8(0), uint8(1), []byte{64, 192, 64, 192, 64, 129, 9, 64, 129, 64, 129, 9, 64, 129})
	f.Fuzz(func(t *testing.T, threshold, failures, slow, least, window, calls, forget uint8, ops []byte) {
		p := breaker.Policy{
			FailureThreshold: int(threshold) % 16,
			FailureRate:      float64(failures) / 255,
			SlowRate:         float64(slow) / 255,
			SlowAfter:        1,
			MinCalls:         1 + int(least)%8,
			RecoveryTimeout:  7,
			ProbeTimeout:     9, HalfOpenSuccesses: 1, HalfOpenProbes: 1,
			ForgetAfter: 1 + 4*time.Duration(forget),
		}
		if p.FailureRate == 0 && p.SlowRate == 0 {
			p.FailureRate = 0.5
		}
		if calls > 0 {
			p.WindowCalls = p.MinCalls + int(calls)%16
		} else {
			p.Window = 10 * (1 + time.Duration(window)%16)
		}
		d := newDuel(t, p)
		for _, op := range ops[:min(len(ops), 60)] {
			if err := d.rate(op); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// rate does what a byte says.
func (d *duel) rate(op byte) error {
	switch {
	case op < 64:
		d.advance(time.Duration(op))
		return d.compare()
	case op < 128 || len(d.permits) == 0:
		return d.call()
	}
	i := len(d.permits) - 1 - int(op>>1%16)%len(d.permits)
	if d.reported[i] {
		return nil
	}
	o := []breaker.Outcome{breaker.Failure, breaker.Success, breaker.Success, breaker.Ignore}[op>>5-4]
	if op%2 == 1 {
		return d.endSlow(i, o, 0)
	}
	return d.end(i, o, 0)
}
