package guard

import (
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
)

// blame is why the end of a call opened a breaker.
type blame struct {
	policy *Policy
	inARow int            // failures; 0: the call was a probe
	in     breaker.Counts // the calls in the window
	failed bool           // else the call was slow
	asked  bool           // the upstream asked to be left alone
}

// blameOf returns why the report m opened a breaker by p.
func blameOf(m *Message, p *Policy) blame {
	return blame{p, m.Request.inARow, m.Request.in, m.Outcome == breaker.Failure, m.Request.OpenFor > 0 && p.MayAsk()}
}

// tripError says why a breaker opened.
type tripError struct {
	blame
	last error // of the last attempt; nil after a panic or a success
}

func (e *tripError) Error() string {
	text, sep := e.why()
	if e.last == nil {
		return text
	}
	return text + sep + e.last.Error()
}

// why returns the reason, and the text between the reason and the last error.
func (e *tripError) why() (text, sep string) {
	const last = ", the last: "
	switch n, rules := e.in, e.policy.rules; {
	case e.asked:
		return "the upstream asked to be left alone", ": "
	case e.inARow == 0 && n.Calls == 0 && !e.failed:
		return "a probe was slow", ": "
	case e.inARow == 0 && n.Calls == 0:
		return "a probe failed", ": "
	case e.inARow == 1 && rules.Threshold() == 1:
		return "a failure", ": "
	case e.inARow > 0 && e.inARow >= rules.Threshold():
		return fmt.Sprintf("%d failures in a row", e.inARow), last
	case e.failed && rules.TooManyFailures(n):
		return fmt.Sprintf("%d of %d calls failed", n.Failures, n.Calls), last
	default:
		return fmt.Sprintf("%d of %d calls took %v or longer", n.Slow, n.Calls, time.Duration(e.policy.slow)), last
	}
}

func (e *tripError) Unwrap() error { return e.last }
