package engine

import "github.com/limitpal/limitpal-go/limiter"

// run is how many slots of a line share a leaf of effects. They are gone through one by one when one of them changes.
const run = 16

// effects work out what a line with several limits leaves behind: a tree of the effects of its callers, so that a caller who comes or
// goes, wherever that is, costs as many steps as the tree is high, and only when the answer is asked for.
//
// Node 1 is the effect of all slots. Node i is that of the nodes 2i and 2i+1, or, in the last half, of a run of slots. Above a stale node
// all are stale.
type effects struct {
	limits limiter.Limits
	nodes  []effectNode
}

type effectNode struct {
	effect limiter.Effect
	stale  bool
}

// changed takes note that a slot has another caller, or none.
func (e *effects) changed(slot int) {
	leaves := len(e.nodes) / 2
	if slot/run >= leaves {
		return // the tree is about to be made anew
	}
	for i := leaves + slot/run; i > 0 && !e.nodes[i].stale; i /= 2 {
		e.nodes[i].stale = true
	}
}

// moved takes note that every slot may have another caller.
func (e *effects) moved() {
	for i := range e.nodes {
		e.nodes[i].stale = true
	}
}

// of returns the effect of all slots. It is valid until the next call.
func (e *effects) of(slots []*request) limiter.Effect {
	if leaves := len(e.nodes) / 2; leaves == 0 || run*leaves < len(slots) {
		leaves = 1
		for run*leaves < len(slots) {
			leaves *= 2
		}
		e.nodes = make([]effectNode, 2*leaves)
		for i := range e.nodes {
			e.nodes[i] = effectNode{e.limits.NoEffect(), true}
		}
	}
	e.renew(1, slots)
	return e.nodes[1].effect
}

// renew works out node i, if it is stale.
func (e *effects) renew(i int, slots []*request) {
	n := &e.nodes[i]
	if !n.stale {
		return
	}
	if leaf := i - len(e.nodes)/2; leaf < 0 {
		e.renew(2*i, slots)
		e.renew(2*i+1, slots)
		n.effect.Join(e.limits, e.nodes[2*i].effect, e.nodes[2*i+1].effect)
	} else {
		n.effect.Clear(e.limits)
		from := min(leaf*run, len(slots))
		for _, r := range slots[from:min(from+run, len(slots))] {
			if r != nil {
				n.effect.Follow(e.limits, r.n)
			}
		}
	}
	n.stale = false
}
