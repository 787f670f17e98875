package engine

import "github.com/limitpal/limitpal-go/engine/internal/guard"

// caller is what a person has to do with one engine: its account of one link of the call.
type caller struct {
	*person
	w *world

	key     int
	account *account
	n       int64 // tokens of its call
	charges int64 // tokens that it is about to charge
	once    bool  // the call began with PerCall
	handles [mostNames]*place

	passed    bool // a token was taken at the gate
	inShadow  bool // the attempt would have been refused
	answered  bool // the actor has answered
	answer    guard.Answer
	reason    error // of the actor's last answer that refuses
	permitted bool  // the actor has given a permit
	told      bool  // the actor has answered a message, with toldErr
	toldErr   error
	req       *guard.Request
	pending   bool // req has been sent and not been answered
	message   guard.Message

	// What the naive models said since the attempt began.
	wasShort, wasClosed bool
	wasUnlimited        bool   // there was no limit
	wasAbove            bool   // the call asks for more than there could be
	rules               *rules // that were in force when the attempt began
	wasFree             bool   // in a chain: the key was not sure to refuse
	ready               int64  // when the tokens were there, at the earliest, if nobody had taken any since
	wasOpen             int64  // until when the breaker was open
	seen                uint64 // the version of the account when the attempt was decided
	was                 *site  // of the account when the attempt began
	periodWas           uint64 // of the naive circuit; likewise

	under   naiveProbe // in whose function the call is made
	period  uint64     // of the probe that runs now
	lease   int64      // of the probe that runs now; 0: none
	outcome Outcome
	owes    bool  // the outcome has to be reported
	may     bool  // the outcome may be reported
	cell    *site // that admitted the attempt
	debit   debit // of the attempt
	spent   bool  // the actor says that the tokens stay spent

	success
	presence
	ranAt ran

	expected guard.Snapshot

	hopeVersion uint64
}

// begin makes the caller ready for a scene.
func (c *caller) begin() {
	c.handles, c.lease, c.owes, c.pending = [mostNames]*place{}, 0, false, false
	c.presence, c.charges, c.inShadow = presence{}, 0, false
	c.success, c.req, c.may, c.account, c.answered, c.debit, c.spent = success{}, nil, false, nil, false, debit{}, false
}

// hasDecided reports whether the engine has decided once for the whole call.
func (c *caller) hasDecided() bool { return c.once && c.attempts > 0 }

// rest ends what the caller was about.
func (c *caller) rest() {
	if c.owes && !c.w.switchedSince(c.ranAt.rules) {
		c.w.fail("caller %d has not reported that its call ended with %v", c.id, c.outcome)
	}
	c.checkCounted()
	c.pending = false
}

// place is the way to the key's cell: by name, or by a handle of the caller's own.
func (c *caller) place() *place {
	if !c.w.handles {
		return &place{key: keyNames[c.key]}
	}
	if c.handles[c.key] == nil {
		k := c.w.eng.Key(keyNames[c.key])
		c.handles[c.key] = &k.place
	}
	return c.handles[c.key]
}
