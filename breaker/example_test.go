package breaker_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
)

// The pure machine: a circuit is a value, time is an argument.
func Example() {
	var generation uint64
	rules := breaker.Policy{FailureThreshold: 2, RecoveryTimeout: 5 * time.Second}.Rules(func() uint64 {
		generation++
		return generation
	})
	var circuit breaker.Circuit
	circuit.Renew(rules)

	show := func(now time.Duration) {
		state, failures, openFor := circuit.Look(rules, int64(now))
		fmt.Printf("at %v: %v, failures %d, open for %v\n", now, state, failures, time.Duration(openFor))
	}
	call := func(now time.Duration, o breaker.Outcome) {
		if circuit.Ready(rules, int64(now)) <= int64(now) {
			circuit.Report(rules, int64(now), circuit.Admit(rules, int64(now)), o)
		}
		show(now)
	}
	call(0, breaker.Failure)
	call(1*time.Second, breaker.Failure)
	call(2*time.Second, breaker.Success) // not let through
	show(6 * time.Second)
	call(6*time.Second, breaker.Success)
	// Output:
	// at 0s: closed, failures 1, open for 0s
	// at 1s: open, failures 0, open for 5s
	// at 2s: open, failures 0, open for 4s
	// at 6s: half-open, failures 0, open for 0s
	// at 6s: closed, failures 0, open for 0s
}

// guard is a breaker without the engine: one circuit, one goroutine at a time.
type guard struct {
	rules   *breaker.Rules
	circuit breaker.Circuit
}

func newGuard(p breaker.Policy) (*guard, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	var generation uint64
	g := &guard{rules: p.Rules(func() uint64 { generation++; return generation })}
	g.circuit.Renew(g.rules)
	return g, nil
}

func (g *guard) run(now func() int64, fn func() error) error {
	start := now()
	if g.circuit.Ready(g.rules, start) > start {
		return breaker.ErrOpen
	}
	permit, outcome := g.circuit.Admit(g.rules, start), breaker.Failure
	defer func() { g.circuit.Report(g.rules, now(), permit, outcome) }() // a panic is a failure
	err := fn()
	if err == nil {
		outcome = breaker.Success
	}
	return err
}

// Without the engine: a caller that owns the circuit and asks the time itself.
func ExamplePolicy_Rules() {
	g, err := newGuard(breaker.Policy{FailureThreshold: 2, RecoveryTimeout: time.Second})
	if err != nil {
		panic(err)
	}
	var clock int64
	now := func() int64 { return clock }
	refused := errors.New("connection refused")
	for range 3 {
		fmt.Println(g.run(now, func() error { return refused }))
	}
	clock += int64(time.Second)
	fmt.Println(g.run(now, func() error { return nil }))
	// Output:
	// connection refused
	// connection refused
	// breaker: open
	// <nil>
}

// Every field that cannot be used is named.
func ExamplePolicy_Validate() {
	fmt.Println(breaker.Policy{FailureThreshold: -1, RecoveryTimeout: -time.Second}.Validate())
	// Output:
	// breaker: FailureThreshold = -1: must not be negative (0 is the default)
	// breaker: RecoveryTimeout = -1s: must not be negative (0 is the default)
}
