package breaker_test

import (
	"testing"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
)

// FuzzCircuit plays a schedule against the naive model. Every byte of ops is a step: time that passes, a call, or the end
// of one of the calls before.
func FuzzCircuit(f *testing.F) {
	f.Add(uint8(3), uint8(5), uint8(1), uint8(1), uint8(30), uint8(60), uint8(9), uint8(1), uint8(64), []byte{64, 64, 64, 128, 129, 130, 5, 64, 131, 30, 64, 5, 64})
	f.Add(uint8(1), uint8(5), uint8(2), uint8(2), uint8(10), uint8(20), uint8(9), uint8(1), uint8(64), []byte{64, 128, 5, 64, 64, 64, 193, 194, 64, 63})
	f.Add(uint8(1), uint8(1), uint8(1), uint8(1), uint8(1), uint8(1), uint8(9), uint8(1), uint8(64), []byte{64, 128, 1, 64, 129, 1, 64, 1, 64})
	f.Add(uint8(2), uint8(9), uint8(3), uint8(1), uint8(2), uint8(4), uint8(9), uint8(1), uint8(64), []byte{64, 64, 128, 129, 9, 64, 2, 9, 64, 195, 63})
	f.Fuzz(func(t *testing.T, threshold, recovery, successes, probes, lease, forget, growth, tolerated, jitter uint8, ops []byte) {
		d := newDuel(t, breaker.Policy{
			FailureThreshold:  1 + int(threshold)%8,
			RecoveryTimeout:   1 + time.Duration(recovery),
			HalfOpenSuccesses: 1 + int(successes)%8,
			HalfOpenProbes:    1 + int(probes)%8,
			ProbeTimeout:      1 + time.Duration(lease),
			ForgetAfter:       1 + time.Duration(forget),
			HalfOpenFailures:  int(tolerated) % 4,
			RecoveryJitter:    float64(jitter%129) / 128,
			Seed:              1 + uint64(jitter),
			MaxRecovery:       (1 + time.Duration(recovery)) * time.Duration(growth%40), // 0: no growth
		})
		for _, op := range ops[:min(len(ops), 50)] { // so that there are many schedules in a second
			if err := d.step(op); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// step does what a byte says.
func (d *duel) step(op byte) error {
	switch {
	case op < 64:
		d.advance(time.Duration(op))
		return d.compare()
	case op < 128 || len(d.permits) == 0:
		return d.call()
	}
	i := len(d.permits) - 1 - int(op%32)%len(d.permits)
	if d.reported[i] {
		return nil
	}
	o, asked := []breaker.Outcome{breaker.Failure, breaker.Failure, breaker.Success, breaker.Ignore}[op>>5-4], int64(0)
	if op>>5 == 5 {
		asked = int64(op%32) * 5
	}
	return d.end(i, o, asked)
}
