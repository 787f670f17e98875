package enginenet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// Conn is a connection whose bytes are limited. Make one with [Wrap]. Its methods may be called by any goroutine; reads wait for
// each other, as do writes, and each writes its bytes in one piece.
//
// Deadlines and Close end a wait for the limit as they end one for the network, with errors that errors.Is finds to be
// os.ErrDeadlineExceeded (and Timeout says so) and net.ErrClosed. Other refusals are those of the engine as they are, a
// *engine.Rejection: with limiter.ErrLimited if Config.MaxWait is set and the wait would be longer, with engine.ErrQueueFull if more wait
// for the key than Config.MaxQueue, and with engine.ErrClosed.
//
// Of what the connection below can do besides net.Conn, it has ReadFrom and CloseWrite. It has no SyscallConn, which would lead past the
// limit; [Conn.NetConn] gives what is below.
type Conn struct {
	net.Conn
	reads, writes lane

	// What was read and is not paid for yet, because the wait for it was ended, and the error that came with it. They belong to the
	// reader whose turn it is.
	kept    []byte
	keptErr error
}

// Wrap returns conn with limits, which belongs to it from then on. Bytes are paid for to every limit, in the order given, so that the
// one with the fewest bytes per second decides. What a limit has given is not given back if the wait for the next one is ended.
//
// Put a limit that other connections share last. What leaves after a wait for it is within those before it as of then, if nobody else
// uses their keys; a shared limit that is not the last may be exceeded by a chunk for each connection that waits for a later one.
//
// Without a limit for a direction its calls go straight to conn.
func Wrap(conn net.Conn, limits ...Limit) *Conn {
	c := &Conn{Conn: conn}
	c.reads.open(limits, Reads)
	c.writes.open(limits, Writes)
	return c
}

// Read reads up to len(p) bytes, and at most a chunk, waits until they are paid for, and returns them. If that wait is ended the
// bytes are not lost: the next Read waits for them, and returns them first.
func (c *Conn) Read(p []byte) (int, error) {
	if c.reads.free() || len(p) == 0 {
		return c.Conn.Read(p)
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
	n, err := c.Conn.Read(p[:c.reads.chunk(int64(len(p)))])
	if n <= 0 {
		return n, err
	}
	if unpaid := c.reads.pay(n); unpaid != nil {
		c.kept, c.keptErr = append([]byte(nil), p[:n]...), err
		return 0, c.fault("read", unpaid)
	}
	return n, err
}

// readKept is Read for what was read before.
func (c *Conn) readKept(p []byte) (int, error) {
	n := c.reads.chunk(int64(min(len(p), len(c.kept))))
	if err := c.reads.pay(n); err != nil {
		return 0, c.fault("read", err)
	}
	copy(p, c.kept[:n])
	if c.kept = c.kept[n:]; len(c.kept) == 0 {
		c.kept = nil
	}
	return n, nil
}

// Write writes p in chunks, and waits for each until it is paid for. If it fails, n is how many bytes went to the connection below.
func (c *Conn) Write(p []byte) (n int, err error) {
	if c.writes.free() || len(p) == 0 {
		return c.Conn.Write(p)
	}
	c.writes.enter()
	defer c.writes.leave()
	for n < len(p) {
		chunk := c.writes.chunk(int64(len(p) - n))
		if err := c.writes.pay(chunk); err != nil {
			return n, c.fault("write", err)
		}
		m, err := c.Conn.Write(p[n : n+chunk])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// SetDeadline sets both deadlines, for the network and for the limit. Those who wait already heed it at once.
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

// Close closes the connection and ends all waits. The engines stay open. What is left of its own key is forgotten by the engine
// after Config.IdleAfter.
func (c *Conn) Close() error {
	c.reads.deadline.close()
	c.writes.deadline.close()
	return c.Conn.Close()
}

// CloseWrite closes the writing side, as a proxy does that has come to the end of what it copies. The error is errors.ErrUnsupported if
// the connection below has no CloseWrite.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return fmt.Errorf("enginenet: CloseWrite of %T: %w", c.Conn, errors.ErrUnsupported)
}

// NetConn returns the connection below. What goes through it directly is not counted.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// fault is the error of a wait as package net would say it.
func (c *Conn) fault(op string, err error) error {
	if !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	e := &net.OpError{Op: op, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
	if e.Source != nil {
		e.Net = e.Source.Network()
	}
	return e
}
