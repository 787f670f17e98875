package enginenet

import (
	"math"

	"github.com/limitpal/limitpal-go/engine"
)

// lane is one direction of a connection: the buckets that its bytes are paid from. It is used by one goroutine at a time, the one whose
// turn it is. The zero lane has no limit.
type lane struct {
	buckets  []bucket // in the order in which they are asked
	most     int      // bytes of the largest chunk
	share    int      // bytes that are worth waiting for, at most as many
	credit   int      // bytes of the last block that are paid for and were not needed yet
	deadline deadline
	turn     chan struct{} // holds one while it is somebody's turn; a channel, since what is done meanwhile blocks
}

// bucket is what a key's limiter has for one direction.
type bucket struct {
	engine.Key
	capacities []int // in blocks, of each limit of the engine
}

// open makes the lane for direction d.
func (l *lane) open(limits []Limit, d Direction) {
	l.most, l.share = maxChunk, maxChunk
	for _, limit := range limits {
		key, ok := limit.in(d)
		if !ok {
			continue
		}
		b := bucket{Key: key}
		for _, before := range l.buckets {
			for _, capacity := range before.capacities {
				l.most = min(l.most, max(1, capacity-1)*Block) // leaves room for a part of a block, see renew
			}
		}
		for _, rule := range limit.Engine.Limits() {
			b.capacities = append(b.capacities, rule.Capacity())
			l.most = min(l.most, min(maxChunk/Block, rule.Capacity())*Block)
			l.share = min(l.share, int(max(1, min(maxChunk/Block, pace/rule.Interval())))*Block)
		}
		l.buckets = append(l.buckets, b)
	}
	l.share = min(l.share, l.most)
	l.turn = make(chan struct{}, 1)
}

// free reports whether there is no limit.
func (l *lane) free() bool { return len(l.buckets) == 0 }

func (l *lane) enter() { l.turn <- struct{}{} }
func (l *lane) leave() { <-l.turn }

// chunk is how many of want bytes to pay for next: as many as are there without waiting, but no less than is worth waiting for. To wait
// for a whole large chunk would be to stall and then to burst.
func (l *lane) chunk(want int64) int {
	n := int(min(want, int64(l.most)))
	if n <= l.share {
		return n
	}
	for _, b := range l.buckets {
		s, _ := b.Inspect() // of a key that is not known nothing is missing
		for _, status := range s.Limits {
			n = min(n, int(min(status.Available, maxChunk/Block))*Block)
		}
	}
	return max(n, l.share)
}

// pay takes the blocks for n bytes, at most a chunk, from every bucket and waits until they are there. The error is
// os.ErrDeadlineExceeded, net.ErrClosed or the engine's. What the buckets before the one that failed have given is not given back: the
// bytes may only come later for it.
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
		err := b.AcquireN(&l.deadline, blocks)
		waited := l.deadline.end()
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

// renew makes blocks that b gave before another was waited for as if b gave them now: had it filled up meanwhile, they would leave on top
// of its capacity. It takes what b had no room for any more, which is there without waiting. It is exact if nobody else takes from b, as
// none does from the bucket of a connection, and if they are fewer than b's capacity; for a capacity of one block it is so but for a part
// of it.
func (b bucket) renew(blocks int) {
	missing := blocks
	if s, known := b.Inspect(); known {
		missing = 0
		for i, capacity := range b.capacities {
			missing = max(missing, int(math.Ceil(float64(blocks-capacity)+s.Limits[i].Available)))
		}
	}
	b.AllowN(missing) // nothing if missing is 0
}
