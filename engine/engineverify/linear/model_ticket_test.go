package linear_test

import "github.com/limitpal/limitpal-go/engine"

// ticket is the leave that a client has to make a call, until its outcome is counted.
type ticket struct {
	serial   int8 // of the history, from 1; 0: none
	current  bool // of the breaker's present period: else its outcome does not count
	sent     bool // reported, and not counted yet
	clean    bool // no failure was reported at the same time
	due      bool // reported, and to be counted before the report returns, in a turn that is to come
	gated    bool // reported, and counts at the gate
	orphan   bool // the key may have been forgotten since
	slow     bool // reported, and took as long as a slow call
	outcome  engine.Outcome
	lease    int16 // the time at which a probe's place is taken back; 0: no probe
	began    int16 // the call began at this time or later, if slow calls are judged
	ceil     int16 // and at this time or before
	returned int32 // when the report had
}

// tickets are those that are out, in the order of their serials: equal sets are equal states. There
// may be one for each client, and behind those whose reports have returned: one in its turn and as
// many as a mailbox holds.
type tickets [clients + 10]ticket

// of returns the ticket with a serial, or nil.
func (t *tickets) of(serial int8) *ticket {
	for i := range t {
		if t[i].serial == serial {
			return &t[i]
		}
	}
	return nil
}

// push puts a ticket in its place, and reports whether there was room.
func (t *tickets) push(one ticket) bool {
	if t[len(t)-1].serial != 0 {
		return false
	}
	at := len(t) - 1
	for ; at > 0 && (t[at-1].serial == 0 || t[at-1].serial > one.serial); at-- {
		t[at] = t[at-1]
	}
	t[at] = one
	return true
}

// drop removes the ticket with a serial.
func (t *tickets) drop(serial int8) {
	kept := 0
	for i := range t {
		if t[i].serial != serial {
			t[kept] = t[i]
			kept++
		}
	}
	for ; kept < len(t); kept++ {
		t[kept] = ticket{}
	}
}

func (t *ticket) probe() bool { return t.lease > 0 }
