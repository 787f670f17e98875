package engine

import "github.com/limitpal/limitpal-go/limiter"

// Limits returns what remained of each limit when the ticket's call was let through, behind the tokens that the call
// took: for an answer that tells a client its quota. In a [Chain] the limits of all keys follow one another, narrow to
// wide. It is nil without a limit.
func (t *Ticket) Limits() []limiter.Status {
	if t.call == nil {
		return t.admission.remains()
	}
	var all []limiter.Status
	for i := range t.call.got {
		all = append(all, t.call.got[i].remains()...)
	}
	return all
}

// remains returns what remained of each limit of the key.
func (a *admission) remains() []limiter.Status {
	if a.receipt.To == 0 {
		return nil
	}
	return a.receipt.Remains(a.at, a.left)
}
