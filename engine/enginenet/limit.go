package enginenet

import (
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// Block is how many bytes a token is: engines count blocks, so that a capacity is bytes / Block and a rate bytes per second / Block. An
// engine keeps the time between two tokens in whole nanoseconds, rounded up: with blocks of 64 bytes that costs less than 2 % up to 1
// GB/s, and below 0.1 % up to 64 MB/s.
const Block = 64

const (
	// maxChunk bounds what is paid for at a time, in bytes: what was paid for and has not been sent yet, and what was read and has not been
	// paid for yet.
	maxChunk = 64 << 10
	// pace is how long a chunk waits for its own bytes: longer would be to stall, and shorter to wake for a few bytes at a time.
	pace = 50 * time.Millisecond
)

// Direction says which bytes a limit is for.
type Direction uint8

// The directions. A limit for both gives each of them a bucket of its own, of the full rate: a connection is full duplex, and an upload
// should not slow the answers down. For different rates nest two listeners, or give [Wrap] two limits.
const (
	Both Direction = iota
	Reads
	Writes
)

// String is "both", "reads" or "writes".
func (d Direction) String() string {
	switch d {
	case Reads:
		return "reads"
	case Writes:
		return "writes"
	default:
		return "both"
	}
}

// Limit is one limit of a connection; see [Wrap].
type Limit struct {
	// Engine has the buckets, in blocks. A nil Engine, or one without a limiter, is no limit.
	Engine *engine.Engine
	// Key names what shares a bucket. The engine knows it as Key + " reads" for what connections read and Key + " writes" for what they
	// write.
	Key string
	// Direction is what is limited. Default Both.
	Direction Direction
}

// in returns the handle of the bucket for direction d, or false if l does not limit it.
func (l Limit) in(d Direction) (engine.Key, bool) {
	other := l.Direction == Reads && d == Writes || l.Direction == Writes && d == Reads
	if l.Engine == nil || other || len(l.Engine.Limits()) == 0 {
		return engine.Key{}, false
	}
	return l.Engine.Key(l.Key + " " + d.String()), true
}
