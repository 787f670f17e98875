package enginenet

import (
	"io"
	"io/fs"
	"math"
	"net"
	"reflect"
	"strings"
	"syscall"
)

// file has the methods of an *os.File that ReadFrom uses.
type file interface {
	io.ReadSeeker
	syscall.Conn
	Stat() (fs.FileInfo, error)
}

// socket has the methods of a *net.TCPConn or *net.UnixConn that ReadFrom uses.
type socket interface {
	net.Conn
	syscall.Conn
}

// writer hides the method ReadFrom of a Writer.
type writer struct{ io.Writer }

// ReadFrom copies from r until the end of r, and returns the number of bytes that went to the
// connection below. The errors are the errors of Write and of r.
//
// If the connection below is a *net.TCPConn, or hands ReadFrom on to a *net.TCPConn, the kernel
// copies a regular *os.File by sendfile, and on Linux a stream-oriented *net.TCPConn or
// *net.UnixConn by splice; r may also be an *io.LimitedReader around such a reader. ReadFrom passes
// r to the connection below in chunks that are paid for and ready to be sent. Any other r is copied
// through a buffer.
func (c *Conn) ReadFrom(r io.Reader) (n int64, err error) {
	below, ok := c.Conn.(io.ReaderFrom)
	switch {
	case c.unfit != nil:
		return 0, c.unfit
	case !ok:
		return io.Copy(writer{c}, r)
	case c.writes.free():
		n, err := below.ReadFrom(r)
		c.writes.passed(n)
		return n, err
	}
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		limited = &io.LimitedReader{R: r, N: math.MaxInt64}
	}
	if limited.N <= 0 {
		return 0, nil
	}
	ready := readiness(limited.R)
	for ready != nil && limited.N > 0 {
		there, err := ready()
		if err != nil {
			return n, err
		}
		if there <= 0 {
			break // the end, or a file that does not tell its length: Read finds out
		}
		sent, err := c.sendFrom(below, limited, there)
		n += sent
		if err != nil {
			return n, err
		}
		if sent == 0 {
			break // the file was truncated meanwhile
		}
	}
	if limited.N <= 0 {
		return n, nil
	}
	rest, err := io.Copy(writer{c}, r)
	return n + rest, err
}

// sendFrom pays for a chunk of the there bytes that from has ready, and lets below send the chunk.
func (c *Conn) sendFrom(below io.ReaderFrom, from *io.LimitedReader, there int64) (int64, error) {
	c.writes.enter()
	defer c.writes.leave()
	if err := c.name(&c.writes, Writes); err != nil {
		return 0, c.fault(&c.writes, "write", err)
	}
	chunk := c.writes.chunk(min(from.N, there))
	if err := c.writes.pay(chunk); err != nil {
		return 0, c.fault(&c.writes, "write", err)
	}
	sent, err := below.ReadFrom(&io.LimitedReader{R: from.R, N: int64(chunk)})
	c.writes.passed(sent)
	from.N -= sent
	return sent, err
}

// readiness returns a function that waits until r has bytes and returns how many can be read
// without another wait; 0 means the end. readiness returns nil if the kernel cannot copy from r.
func readiness(r io.Reader) func() (int64, error) {
	switch r := r.(type) {
	case file:
		if info, err := r.Stat(); err == nil && info.Mode().IsRegular() && definedIn("os", r) {
			return func() (int64, error) { return left(r) }
		}
	case socket:
		if !definedIn("net", r) {
			return nil
		}
		if network := r.LocalAddr().Network(); network == "unix" || strings.HasPrefix(network, "tcp") {
			return readable(r)
		}
	}
	return nil
}

// definedIn reports whether the type of r is defined in package pkg. A type of another package that
// embeds such a type may have methods of its own. (io.Copy passes files and connections in
// unexported types of packages os and net, which hide WriteTo.)
func definedIn(pkg string, r io.Reader) bool {
	t := reflect.TypeOf(r)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == pkg
}

// left returns the number of bytes from the offset of f to the end of f. For a file of /proc left
// returns 0 or less.
func left(f file) (int64, error) {
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size() - at, nil
}
