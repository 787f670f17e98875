package guard

import "github.com/limitpal/limitpal-go/limiter"

// run is how many slots of a queue share a leaf of effects. A leaf is computed waiter by waiter.
const run = 16

// effects is the tree of the effects of the waiters in a queue with several limits. A waiter that
// comes or leaves, anywhere in the queue, makes one path up the tree stale. The path is computed when
// the tail is asked for.
//
// Node 1 is the effect of all slots. Node i is the effect of nodes 2i and 2i+1 or, in the last half
// of the nodes, of a run of slots. All nodes above a stale node are stale.
type effects struct {
	limits limiter.Limits
	nodes  []effectNode
}

type effectNode struct {
	effect limiter.Effect
	stale  bool
}

// changed takes note that a slot has another waiter, or none.
func (e *effects) changed(slot int) {
	leaves := len(e.nodes) / 2
	if slot/run >= leaves {
		return // the tree is about to be made anew
	}
	for i := leaves + slot/run; i > 0 && !e.nodes[i].stale; i /= 2 {
		e.nodes[i].stale = true
	}
}

// moved takes note that every slot may have another waiter.
func (e *effects) moved() {
	for i := range e.nodes {
		e.nodes[i].stale = true
	}
}

// of returns the effect of all slots. The effect is valid until the next call.
func (e *effects) of(slots []*Request) limiter.Effect {
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

// renew computes node i if the node is stale.
func (e *effects) renew(i int, slots []*Request) {
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
				n.effect.Follow(e.limits, r.demand.Tokens)
			}
		}
	}
	n.stale = false
}
