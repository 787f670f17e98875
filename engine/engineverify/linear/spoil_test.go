package linear_test

import (
	"math/rand/v2"

	"github.com/limitpal/limitpal-go/engine"
)

// spoiled returns copies of operations in which something has been changed so many times: when a
// call began or returned, or what came of it. The steps of a call are changed alike.
func spoiled(rng *rand.Rand, seen []*operation, times int) []*operation {
	copies := make([]*operation, len(seen))
	for i, o := range seen {
		c := *o
		copies[i] = &c
	}
	for range times {
		if len(copies) == 0 {
			break
		}
		one := *copies[rng.IntN(len(copies))]
		change, within := rng.IntN(5), one.call+rng.Int64N(max(1, one.ret-one.call))
		outcome, more := engine.Outcome(rng.IntN(3)), 1+rng.IntN(2)
		for _, o := range copies {
			if o.client == one.client && o.call == one.call {
				o.spoil(change, within, outcome, more)
			}
		}
	}
	return copies
}

// spoil makes one change to o.
func (o *operation) spoil(change int, within int64, outcome engine.Outcome, more int) {
	switch change {
	case 0:
		o.call = within
	case 1:
		if o.until == o.ret {
			o.until = within + 1
		}
		o.ret = within + 1
	case 2:
		switch o.result {
		case granted:
			o.result = open
		case open:
			o.result = granted
		case refused:
			o.result = full
		}
	case 3:
		o.outcome = outcome
	case 4:
		if o.kind == step {
			o.d += more
		}
		o.shown.waiting += more - 1
		o.shown.failures += more - 1
	}
}
