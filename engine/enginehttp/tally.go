package enginehttp

import (
	"errors"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/engine"
)

// ending says how a request, or an attempt at a request, has ended. The endings from 1 to 5 are the
// classes of statuses.
type ending int

const (
	endAborted     ending = 0        // by a panic or runtime.Goexit
	endLimited     ending = iota + 5 // refused by the limiter
	endUnavailable                   // refused by another part of the engine
	endGaveUp                        // the context ended before the engine had admitted the request
	endInvalid                       // the request has no key, or there is a field that is invalid
	endFailed                        // an error in place of a status
	endings
)

// endOf returns the class of a status. RFC 9110, section 15, has clients treat a status that is not
// from 100 to 599 as 5xx.
func endOf(status int) ending {
	if class := status / 100; class >= 1 && class <= 5 {
		return ending(class)
	}
	return 5
}

// refusal returns the ending of a request that an engine did not admit, for err.
func refusal(err error) ending {
	rejection, ok := errors.AsType[*engine.Rejection](err)
	switch {
	case !ok:
		return endGaveUp
	case rejection.Limited():
		return endLimited
	default:
		return endUnavailable
	}
}

// counts are how many requests or attempts have ended in each way.
type counts [endings]atomic.Uint64

func (c *counts) add(e ending) { c[e].Add(1) }

// read returns the values.
func (c *counts) read() (values [endings]uint64) {
	for i := range c {
		values[i] = c[i].Load()
	}
	return values
}

// cacheLine is the size of a cache line on most processors.
const cacheLine = 64

// tally counts requests. A tally is in cache lines of its own, since every request reads the fields
// around it. inFlight is a counter and no difference of two counters, which a reader could see with
// many requests in between.
type tally struct {
	_        [cacheLine]byte
	inFlight atomic.Int64
	ended    counts
	_        [cacheLine]byte
}

func (t *tally) begin() { t.inFlight.Add(1) }

func (t *tally) end(e ending) {
	t.ended.add(e)
	t.inFlight.Add(-1)
}
