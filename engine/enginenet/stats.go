package enginenet

import (
	"sync/atomic"
	"time"
)

// ConnStats are figures of a connection; see [Conn.Stats]. The figures count from [Wrap] or Accept
// on, and never fall.
type ConnStats struct {
	BytesRead    uint64 // bytes that Read has returned; bytes that wait for the limit do not count yet
	BytesWritten uint64 // bytes that the connection below has taken, also in a Write that failed then

	// ReadThrottled and WriteThrottled are the time for which limits have held calls back. The time
	// of a wait counts when the wait ends, whether the call then got its bytes or was ended by a
	// deadline, by Close or by the engine. A call that waits for another call of the same
	// direction, for the network or for an address adds nothing: a direction is throttled for at
	// most the time for which the connection has existed.
	ReadThrottled, WriteThrottled time.Duration
}

// ListenerStats are figures of the connections of a Listener; see [Listener.Stats]. Open is a
// present number. The other figures count from the first Accept on, and never fall. The figures of
// a connection stay in the sums when the connection is closed.
type ListenerStats struct {
	Open     int    // connections that were accepted and not closed yet
	Accepted uint64 // connections that Accept has returned
	// Refused counts the connections of which an engine has refused a call: at Config.MaxKeys,
	// because of Config.MaxWait, or since the engine is closed. A connection counts once.
	Refused uint64

	// The sums of all connections, as in ConnStats. Two connections that are throttled for a second
	// at the same time add two seconds.
	BytesRead, BytesWritten       uint64
	ReadThrottled, WriteThrottled time.Duration
}

// Stats returns the figures of the connection. While calls run, the figures are of slightly
// different moments. ReadFrom counts each chunk; without a limit for writes, ReadFrom may leave the
// copying to the connection below, and counts when ReadFrom returns. Stats does not wait for calls.
func (c *Conn) Stats() ConnStats {
	return ConnStats{
		BytesRead: c.reads.own.bytes.Load(), BytesWritten: c.writes.own.bytes.Load(),
		ReadThrottled: c.reads.own.throttled(), WriteThrottled: c.writes.own.throttled(),
	}
}

// Stats returns the figures of all connections that l has accepted. While connections are used, the
// figures are of slightly different moments. Stats takes the same time for any number of
// connections.
func (l *Listener) Stats() ListenerStats {
	t := &l.tally
	s := ListenerStats{Open: int(t.open.Load()), Accepted: t.accepted.Load(), Refused: t.refused.Load()}
	for i := range t.stripes {
		stripe := &t.stripes[i]
		s.BytesRead += stripe.reads.bytes.Load()
		s.BytesWritten += stripe.writes.bytes.Load()
		s.ReadThrottled += stripe.reads.throttled()
		s.WriteThrottled += stripe.writes.throttled()
	}
	return s
}

// traffic counts the bytes of one direction and the time for which these were held back.
type traffic struct {
	bytes atomic.Uint64
	held  atomic.Int64 // nanoseconds
}

func (t *traffic) throttled() time.Duration { return time.Duration(t.held.Load()) }

// tally counts the connections of a Listener. The traffic of the connections is spread over
// stripes, so that processors that count at the same time seldom write to the same cache line.
type tally struct {
	open              atomic.Int64
	accepted, refused atomic.Uint64
	stripes           [16]stripe
}

// stripe is a cache line: the traffic of every sixteenth connection.
type stripe struct {
	reads, writes traffic
	_             [32]byte
}

// accept counts a connection and returns its number, from 1.
func (t *tally) accept() uint64 {
	t.open.Add(1)
	return t.accepted.Add(1)
}

// trafficOf returns the counters for the connection with this number.
func (t *tally) trafficOf(number uint64) (reads, writes *traffic) {
	s := &t.stripes[number%uint64(len(t.stripes))]
	return &s.reads, &s.writes
}

// passed counts n bytes that have passed the lane.
func (l *lane) passed(n int64) {
	if n <= 0 { // or a connection below that breaks the contract of net.Conn
		return
	}
	l.own.bytes.Add(uint64(n))
	if l.shared != nil {
		l.shared.bytes.Add(uint64(n))
	}
}

// heldBack counts a wait that has ended.
func (l *lane) heldBack(d time.Duration) {
	if d <= 0 {
		return
	}
	l.own.held.Add(int64(d))
	if l.shared != nil {
		l.shared.held.Add(int64(d))
	}
}

// countClosed counts the first Close of a connection of a Listener.
func (c *Conn) countClosed() {
	if c.tally != nil && !c.closed.Swap(true) {
		c.tally.open.Add(-1)
	}
}

// countRefused counts the first refusal of a connection of a Listener.
func (c *Conn) countRefused() {
	if c.tally != nil && !c.refused.Swap(true) {
		c.tally.refused.Add(1)
	}
}
