package enginenet

import (
	"github.com/limitpal/limitpal-go/engine"
)

// lane is one direction of a connection: the buckets that its bytes are paid from. It is used by one goroutine at a time, the one whose
// turn it is. The zero lane has no limit.
type lane struct {
	keys     []engine.Key // in the order in which they are asked
	most     int          // bytes of the largest chunk
	share    int          // bytes that are worth waiting for, at most as many
	credit   int          // bytes of the last block that are paid for and were not needed yet
	deadline deadline
	turn     chan struct{} // holds one while it is somebody's turn; a channel, since what is done meanwhile blocks
}

// open makes the lane for direction d.
func (l *lane) open(limits []Limit, d Direction) {
	l.most, l.share = maxChunk, maxChunk
	for _, limit := range limits {
		key, ok := limit.in(d)
		if !ok {
			continue
		}
		l.keys = append(l.keys, key)
		for _, bucket := range limit.Engine.Limits() {
			l.most = min(l.most, min(maxChunk/Block, bucket.Capacity())*Block)
			l.share = min(l.share, int(max(1, min(maxChunk/Block, pace/bucket.Interval())))*Block)
		}
	}
	l.share = min(l.share, l.most)
	l.turn = make(chan struct{}, 1)
}

// free reports whether there is no limit.
func (l *lane) free() bool { return len(l.keys) == 0 }

func (l *lane) enter() { l.turn <- struct{}{} }
func (l *lane) leave() { <-l.turn }

// chunk is how many of want bytes to pay for next: as many as are there without waiting, but no less than is worth waiting for. To wait
// for a whole large chunk would be to stall and then to burst.
func (l *lane) chunk(want int64) int {
	n := int(min(want, int64(l.most)))
	if n <= l.share {
		return n
	}
	for _, key := range l.keys {
		s, known := key.Inspect()
		if !known { // nothing is missing from its bucket
			continue
		}
		if s.Waiting > 0 {
			return l.share
		}
		for _, bucket := range s.Limits {
			n = min(n, int(bucket.Available)*Block)
		}
	}
	return max(n, l.share)
}

// pay takes the blocks for n bytes, at most a chunk, from every bucket and waits until they are there. The error is os.ErrDeadlineExceeded,
// net.ErrClosed or the engine's. What the buckets before the one that failed have given is not given back: the bytes may only come later for it.
func (l *lane) pay(n int) error {
	defer l.deadline.end()
	if n <= l.credit {
		if err := l.deadline.Err(); err != nil {
			return err
		}
		l.credit -= n
		return nil
	}
	blocks := (n - l.credit + Block - 1) / Block
	for _, key := range l.keys {
		if err := key.AcquireN(&l.deadline, blocks); err != nil {
			return err
		}
	}
	l.credit += blocks*Block - n
	return nil
}
