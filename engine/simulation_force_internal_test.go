package engine

import (
	"errors"
	"time"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// force has the caller force its key, or end that.
func (c *caller) force() {
	w, u := c.w, c.w.universe
	c.phase, c.account, c.told = forcing, &w.keys[c.key], false
	length := time.Duration(u.spread(1, 64*u.tick))
	switch u.below(8) {
	case 0, 1, 2:
		length = 0
	case 3:
		length = breaker.Forever
	}
	s := []breaker.State{breaker.Open, breaker.Closed}[u.below(2)]
	err := w.eng.Force(keyNames[c.key], s, length)
	known := length != 0 || c.told
	switch {
	case w.closed:
	case c.told && !errors.Is(c.toldErr, err):
		w.fail("caller %d was answered %v, and is told %v", c.id, c.toldErr, err)
	case !c.told && known && !errors.Is(err, ErrKeyLimit) || !known && err != nil:
		w.fail("caller %d forces %q, and is told %v without a turn", c.id, keyNames[c.key], err)
	}
}

// expectForce is the turn of a Force.
func (w *world) expectForce(a *account, f guard.Forcing) {
	t, b := w.turning, &a.circuit
	a.version++
	switch {
	case f.For == 0:
		if b.forced {
			w.renew(b)
		}
	case !a.site.gate.Posted().Forced() && w.forced() >= w.maxKeys/2:
		w.expect(t.who, expectation{err: guard.ErrForceLimit})
		return
	default:
		w.universe.forced++
		b.become(naiveCircuit{period: w.period(), forced: true, state: f.To, until: guard.Later(t.now, f.For)})
	}
	w.expect(t.who, expectation{})
}

// forced returns how many keys are forced, as their notices say.
func (w *world) forced() (n int) {
	for i := range w.keys {
		if st := w.keys[i].site; st != nil && st.gate.Posted().Forced() {
			n++
		}
	}
	return n
}

// whyOpen is why a breaker that lets no call pass does not.
func (b *naiveCircuit) whyOpen() error {
	if b.forced {
		return guard.ErrForced
	}
	return breaker.ErrOpen
}
