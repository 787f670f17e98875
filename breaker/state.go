package breaker

import "fmt"

// State is the state of a breaker. The state decides about a call.
type State uint8

// The three states. The zero State is Closed.
const (
	Closed   State = iota // calls pass
	Open                  // calls are refused
	HalfOpen              // probes pass
)

// String returns "closed", "open" or "half-open".
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case Open:
		return "open"
	case HalfOpen:
		return "half-open"
	default:
		return fmt.Sprintf("State(%d)", uint8(s))
	}
}

// Outcome says how a call ended, as far as the health of the called upstream is concerned.
type Outcome uint8

// The outcomes. The zero Outcome is Success.
const (
	Success Outcome = iota // the upstream did its work
	Failure                // the upstream failed
	Ignore                 // neither: a probe's place is free again, and nothing is counted
)

// String returns "success", "failure" or "ignore".
func (o Outcome) String() string {
	switch o {
	case Success:
		return "success"
	case Failure:
		return "failure"
	case Ignore:
		return "ignore"
	default:
		return fmt.Sprintf("Outcome(%d)", uint8(o))
	}
}
