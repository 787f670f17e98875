package enginenet

import (
	"math"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// lane is one direction of a connection: the buckets that pay for its bytes. One goroutine at a
// time uses a lane, between enter and leave. The zero lane has no limit.
type lane struct {
	buckets  []bucket // in the order in which they pay
	named    bool     // the buckets have their keys
	most     int      // bytes of the largest chunk
	share    int      // bytes of the smallest chunk that is worth a wait, at most as many as most
	credit   int      // bytes of the last block that are paid for and not used yet
	deadline deadline
	turn     chan struct{} // holds one entry between enter and leave; a channel, since calls block there
	own      traffic
	shared   *traffic // of the connection's stripe; nil for a connection of Wrap
}

// bucket is the limiter of a key, for one direction.
type bucket struct {
	engine.Key
	place
	limit      int // index of the Limit of the connection
	revision   uint64
	capacities []int         // in blocks, of each limit, as of revision
	maxWait    time.Duration // likewise
}

// open makes the lane for direction d. The buckets have no keys before name.
func (l *lane) open(limits []Limit, d Direction) {
	for i, limit := range limits {
		if limit.holds(d) {
			l.buckets = append(l.buckets, bucket{place: place{engine: limit.Engine}, limit: i})
		}
	}
	l.fit()
	l.turn = make(chan struct{}, 1)
}

// fit fits the chunks to the limits that are in force.
func (l *lane) fit() {
	l.most, l.share = maxChunk, maxChunk
	for i := range l.buckets {
		b := &l.buckets[i]
		b.revision = b.engine.Revision() // first, so that a change that comes meanwhile is found later
		b.maxWait = b.engine.Config().MaxWait
		for _, before := range l.buckets[:i] {
			for _, capacity := range before.capacities {
				most := max(1, min(capacity, maxChunk/Block+1)-1) // leaves room for a part of a block, see renew
				l.most = min(l.most, most*Block)
			}
		}
		limits := b.engine.Limits() // those of most keys
		if l.named {
			if own, err := b.Limits(); err == nil { // else the payment has the error
				limits = own
			}
		}
		b.capacities = nil
		for _, rule := range limits {
			b.capacities = append(b.capacities, rule.Capacity())
			l.most = min(l.most, min(maxChunk/Block, rule.Capacity())*Block)
			l.share = min(l.share, int(max(1, min(maxChunk/Block, pace/rule.Interval())))*Block)
		}
	}
	l.share = min(l.share, l.most)
}

// changed reports whether limits have changed since fit.
func (l *lane) changed() bool {
	for i := range l.buckets {
		if b := &l.buckets[i]; b.revision != b.engine.Revision() {
			return true
		}
	}
	return false
}

// name gives the buckets of a lane for direction d the keys of limits.
func (l *lane) name(limits []Limit, d Direction) {
	for i := range l.buckets {
		b := &l.buckets[i]
		b.key = limits[b.limit].Key + " " + d.String()
		b.Key = b.engine.Key(b.key)
	}
	l.named = true
	l.fit()
}

// free reports whether the lane has no limit.
func (l *lane) free() bool { return len(l.buckets) == 0 }

func (l *lane) enter() { l.turn <- struct{}{} }
func (l *lane) leave() { <-l.turn }

// chunk returns how many of want bytes to pay for next: as many as the buckets have without a wait,
// but no fewer than are worth a wait. A wait for a large chunk would be a stall and then a burst.
func (l *lane) chunk(want int64) int {
	if l.changed() {
		l.fit()
	}
	n := int(min(want, int64(l.most)))
	if n <= l.share {
		return n
	}
	if !l.named {
		return l.share
	}
	for _, b := range l.buckets {
		s, _ := b.Inspect() // a key that is not known has full buckets
		for _, status := range s.Limits {
			n = min(n, int(min(status.Available, maxChunk/Block))*Block)
		}
	}
	return max(n, l.share)
}

// pay takes the blocks for n bytes, at most a chunk, from every bucket, and waits until they are
// there. The lane must be named. The error is os.ErrDeadlineExceeded, net.ErrClosed or the error of
// the engine. After an error the blocks of the earlier buckets are not given back: the bytes only
// come later.
func (l *lane) pay(n int) error {
	if n <= l.credit {
		err := l.deadline.Err()
		l.deadline.end()
		if err == nil {
			l.credit -= n
		}
		return err
	}
	blocks := (n - l.credit + Block - 1) / Block
	for i, b := range l.buckets {
		err := b.take(&l.deadline, blocks)
		held, waited := l.deadline.end()
		l.heldBack(held)
		if err != nil {
			return err
		}
		if waited {
			for _, before := range l.buckets[:i] {
				before.renew(blocks)
			}
		}
	}
	l.credit += blocks*Block - n
	return nil
}

// renew moves the payment of blocks that b made before a wait for another bucket to the end of that
// wait. A bucket that filled up during the wait would otherwise let its whole capacity leave on top
// of blocks. renew takes the tokens that b has had no room for; they are there without a wait.
//
// renew is exact if no other connection takes from b, as with the bucket of one connection, and if
// blocks is below the capacity of b. With a capacity of one block, renew is exact but for a part of
// a block.
func (b bucket) renew(blocks int) {
	missing := blocks
	if s, known := b.Inspect(); known {
		missing = 0
		for i, capacity := range b.capacities[:min(len(b.capacities), len(s.Limits))] { // they may have changed
			missing = max(missing, int(math.Ceil(float64(blocks-capacity)+s.Limits[i].Available)))
		}
	}
	b.AllowN(missing) // takes nothing if missing is 0
}
