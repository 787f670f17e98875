package engine

import (
	"fmt"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// world is an engine of a universe, with the accounts of its keys.
type world struct {
	*universe
	setup
	number int // from narrow to wide

	eng *Engine
	b   *guard.Behavior

	former [mostLimits + 1]*guard.Behavior // of the last engine with so many limits

	people    [mostCallers]*caller
	keys      [mostNames]account
	gates     map[*guard.Gate]*site
	graves    []*site // those of retired cells
	askers    map[*guard.Request]*caller
	periodOf  map[uint64]uint64 // the period of the naive circuit, by generation
	finals    map[uint64]bool   // periods in which a cell was retired
	closed    bool              // or closing
	ended     bool              // the operator has closed it
	kept      uint64            // Stats.KeptSpent
	shadowed  uint64            // Stats.ShadowRefused
	dark      bool              // it has been in shadow
	rules     *rules            // in force
	fresh     books             // of a key that nobody has used
	current   *guard.Version    // as rules
	coming    *setup            // from the beginning of a change to its end
	installed bool              // coming is in force
	changedAt int64             // the instant of the last change of the limits; 0: none
	recast    bool              // the breaker has changed
	switched  int               // rules.number when the breaker was last switched off or on
	recovers  int64             // ns; the longest open time and lease of all rules of the scene
	clock     func() int64      // clockOfTurn
}

func newWorld(u *universe, number int) *world {
	w := &world{
		universe: u, number: number,
		gates: map[*guard.Gate]*site{}, askers: map[*guard.Request]*caller{}, periodOf: map[uint64]uint64{}, finals: map[uint64]bool{},
	}
	w.clock = w.clockOfTurn
	for i := range w.people {
		w.people[i] = &caller{person: u.persons[i], w: w}
	}
	return w
}

// open begins a scene.
func (w *world) open() {
	w.setup = w.draw()
	w.keys = [mostNames]account{}
	w.rules = w.rulesOf(&w.setup, 0, 0)
	w.fresh = books{rules: w.rules}
	w.coming, w.installed, w.changedAt = nil, false, 0
	w.recast, w.switched, w.recovers = false, 0, w.circuit.longest+w.circuit.lease
	w.graves = w.graves[:0]
	clear(w.gates)
	clear(w.askers)
	clear(w.periodOf)
	clear(w.finals)
	w.closed, w.ended, w.kept, w.shadowed, w.dark = false, false, 0, 0, w.shadow
	w.cfg.Clock, w.cfg.Name = w.source, fmt.Sprint("engine-", w.number)
	eng, err := newEngine(w.cfg, w)
	if err != nil {
		w.fail("a valid configuration is refused: %v", err)
	}
	w.eng = eng
	if old := w.former[len(w.limits)]; old != nil {
		w.b.Inherit(old, keyNames[:])
	}
	w.former[len(w.limits)], w.current = w.b, w.b.Current()
	for i := range w.keys {
		w.keys[i].rules = w.rules
		w.keys[i].circuit.rules = w.circuit
		w.renew(&w.keys[i].circuit)
	}
	for _, c := range w.people {
		c.begin()
	}
}

// caller returns the account of p, that goes on now, in w.
func (w *world) caller() *caller { return w.people[w.who.person.id] }
