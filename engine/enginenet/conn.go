package enginenet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// Conn is a connection whose bytes are limited. Make a Conn with [Wrap], or with a [Listener]. Any
// goroutine may call the methods of a Conn. Reads wait for each other, and so do writes; each call
// writes its bytes in one piece.
//
// Deadlines and Close end a wait for the limit as they end a wait for the network. The error of a
// deadline is a net.Error for which Timeout is true and errors.Is finds os.ErrDeadlineExceeded;
// after Close errors.Is finds net.ErrClosed. Any other refusal is the engine's own
// *engine.Rejection: with engine.ErrClosed; with engine.ErrKeyLimit; or, if Config.MaxWait is set
// and the wait would be longer, with limiter.ErrLimited. A full queue (engine.ErrQueueFull) is
// waited for.
//
// Besides the methods of net.Conn, a Conn has ReadFrom and CloseWrite. A Conn has no SyscallConn,
// which would lead past the limit; [Conn.NetConn] returns the connection below.
type Conn struct {
	net.Conn
	reads, writes lane
	identity      *identity   // of a connection of a Listener; nil if the lanes are named
	unfit         error       // of the engines; for every Read, Write and ReadFrom
	tally         *tally      // of the Listener; nil for a connection of Wrap
	closed        atomic.Bool // counted as closed
	refused       atomic.Bool // counted as refused

	// kept are bytes that were read and are not paid for yet, because the wait ended, and keptErr
	// is the error that came with them. Both belong to the reader between enter and leave.
	kept    []byte
	keptErr error
}

// Wrap returns conn with limits; conn belongs to the Conn from then on. Bytes are paid for to every
// limit, in the order given, so that the limit with the fewest bytes per second decides. If the
// wait for a limit is ended, the tokens of the limits before it are not given back.
//
// Put a limit that other connections share last. Bytes that leave after a wait for a limit keep
// within the limits before it, as of then, if no other connection uses the keys of those. A shared
// limit that is not the last may be exceeded by a chunk for each connection that waits for a later
// limit.
//
// If no limit counts a direction, the calls of that direction go straight to conn.
//
// Wrap itself never fails. If an engine has a Config field that this package cannot honour, Read,
// Write and ReadFrom return an error that joins a *engine.ConfigError for each such field.
func Wrap(conn net.Conn, limits ...Limit) *Conn {
	c := &Conn{Conn: conn}
	limits = slices.Clone(limits)
	for i := range limits {
		c.unfit = errors.Join(c.unfit, checkConfig(limits[i].Engine))
		limits[i].Key = bounded(limits[i].Key)
	}
	c.reads.open(limits, Reads)
	c.writes.open(limits, Writes)
	c.reads.name(limits, Reads)
	c.writes.name(limits, Writes)
	return c
}

// Read reads up to len(p) bytes, and at most a chunk, waits until the bytes are paid for, and
// returns them. If that wait ends early, no byte is lost: the next Read waits for the same bytes
// first and returns them first.
func (c *Conn) Read(p []byte) (int, error) {
	switch {
	case c.unfit != nil:
		return 0, c.unfit
	case c.reads.free() || len(p) == 0:
		n, err := c.Conn.Read(p)
		c.reads.passed(int64(n))
		return n, err
	}
	c.reads.enter()
	defer c.reads.leave()
	if len(c.kept) > 0 {
		return c.readKept(p)
	}
	if err := c.keptErr; err != nil {
		c.keptErr = nil
		return 0, err
	}
	// Where an address has to be waited for, the read comes first: after the peer's first bytes the
	// address is there.
	if !c.reads.named && tellsAtOnce(c.Conn) {
		if err := c.name(&c.reads, Reads); err != nil {
			return 0, c.fault(&c.reads, "read", err)
		}
	}
	n, err := c.Conn.Read(p[:c.reads.chunk(int64(len(p)))])
	if n <= 0 {
		return n, err
	}
	if unpaid := c.payRead(n); unpaid != nil {
		c.kept, c.keptErr = append([]byte(nil), p[:n]...), err
		return 0, c.fault(&c.reads, "read", unpaid)
	}
	c.reads.passed(int64(n))
	return n, err
}

// readKept is Read for the bytes that were read before.
func (c *Conn) readKept(p []byte) (int, error) {
	n := c.reads.chunk(int64(min(len(p), len(c.kept))))
	if err := c.payRead(n); err != nil {
		return 0, c.fault(&c.reads, "read", err)
	}
	c.reads.passed(int64(copy(p, c.kept[:n])))
	if c.kept = c.kept[n:]; len(c.kept) == 0 {
		c.kept = nil
	}
	return n, nil
}

// payRead pays for n bytes that were read.
func (c *Conn) payRead(n int) error {
	if err := c.name(&c.reads, Reads); err != nil {
		return err
	}
	return c.reads.pay(n)
}

// name gives the buckets of l, the lane for direction d, their keys, and waits for the addresses of
// the connection below if need be.
func (c *Conn) name(l *lane, d Direction) error {
	if l.named {
		return nil
	}
	limits, err := c.identity.keyed(&l.deadline, func() { _ = c.Close() })
	l.deadline.end()
	if err == nil {
		l.name(limits, d)
	}
	return err
}

// Write writes p in chunks, and waits before each chunk until the chunk is paid for. If Write
// fails, n is the number of bytes that went to the connection below.
func (c *Conn) Write(p []byte) (n int, err error) {
	switch {
	case c.unfit != nil:
		return 0, c.unfit
	case c.writes.free() || len(p) == 0:
		n, err := c.Conn.Write(p)
		c.writes.passed(int64(n))
		return n, err
	}
	c.writes.enter()
	defer c.writes.leave()
	if err := c.name(&c.writes, Writes); err != nil {
		return 0, c.fault(&c.writes, "write", err)
	}
	for n < len(p) {
		chunk := c.writes.chunk(int64(len(p) - n))
		if err := c.writes.pay(chunk); err != nil {
			return n, c.fault(&c.writes, "write", err)
		}
		m, err := c.Conn.Write(p[n : n+chunk])
		c.writes.passed(int64(m))
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// SetDeadline sets the deadlines of reads and of writes, for the network and for the limit. The
// zero Time means no deadline. Calls that wait already obey the new deadline at once. The error is
// the error of the connection below.
func (c *Conn) SetDeadline(t time.Time) error {
	err := c.Conn.SetDeadline(t)
	c.reads.deadline.set(t)
	c.writes.deadline.set(t)
	return err
}

// SetReadDeadline is [Conn.SetDeadline] for Read.
func (c *Conn) SetReadDeadline(t time.Time) error {
	err := c.Conn.SetReadDeadline(t)
	c.reads.deadline.set(t)
	return err
}

// SetWriteDeadline is [Conn.SetDeadline] for Write and ReadFrom.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	err := c.Conn.SetWriteDeadline(t)
	c.writes.deadline.set(t)
	return err
}

// Close closes the connection and ends all waits. The engines stay open. An engine forgets the key
// of the connection after Config.IdleAfter. The error is the error of the connection below.
func (c *Conn) Close() error {
	c.countClosed()
	c.reads.deadline.close()
	c.writes.deadline.close()
	return c.Conn.Close()
}

// CloseWrite closes the writing side, as a proxy does at the end of its input. If the connection
// below has no CloseWrite, errors.Is finds errors.ErrUnsupported.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return fmt.Errorf("enginenet: CloseWrite of %T: %w", c.Conn, errors.ErrUnsupported)
}

// NetConn returns the connection below. Bytes that go through that connection directly are not
// counted.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// fault returns the error of a wait in l in the form of package net, and counts a refusal. The
// addresses are left out if the connection below may have to wait for them.
func (c *Conn) fault(l *lane, op string, err error) error {
	if !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.countRefused()
		return err
	}
	e := &net.OpError{Op: op, Err: err}
	if c.identity != nil && l.named || tellsAtOnce(c.Conn) {
		e.Source, e.Addr = c.LocalAddr(), c.RemoteAddr()
	}
	if e.Source != nil {
		e.Net = e.Source.Network()
	}
	return e
}
