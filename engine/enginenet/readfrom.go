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

// file is what ReadFrom needs of an *os.File.
type file interface {
	io.ReadSeeker
	syscall.Conn
	Stat() (fs.FileInfo, error)
}

// socket is what ReadFrom needs of a *net.TCPConn or *net.UnixConn.
type socket interface {
	net.Conn
	syscall.Conn
}

// writer hides ReadFrom.
type writer struct{ io.Writer }

// ReadFrom copies from r until its end. If the connection below is a *net.TCPConn, or hands ReadFrom on to one, a regular *os.File goes
// by sendfile, and on Linux a stream-oriented *net.TCPConn or *net.UnixConn by splice, also in an *io.LimitedReader: r goes to the
// ReadFrom below in chunks that are paid for and that are there to be sent. Anything else is copied through a buffer.
func (c *Conn) ReadFrom(r io.Reader) (n int64, err error) {
	below, ok := c.Conn.(io.ReaderFrom)
	switch {
	case !ok && c.writes.free():
		return io.Copy(writer{c.Conn}, r)
	case !ok:
		return io.Copy(writer{c}, r)
	case c.writes.free():
		return below.ReadFrom(r)
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
			break // the end, or a file that does not say how long it is: Read knows
		}
		sent, err := c.sendFrom(below, limited, there)
		n += sent
		if err != nil {
			return n, err
		}
		if sent == 0 {
			break // the file has been cut meanwhile
		}
	}
	if limited.N <= 0 {
		return n, nil
	}
	rest, err := io.Copy(writer{c}, r)
	return n + rest, err
}

// sendFrom pays for a chunk of the there bytes that from has, and has below send it.
func (c *Conn) sendFrom(below io.ReaderFrom, from *io.LimitedReader, there int64) (int64, error) {
	c.writes.enter()
	defer c.writes.leave()
	chunk := c.writes.chunk(min(from.N, there))
	if err := c.writes.pay(chunk); err != nil {
		return 0, c.fault("write", err)
	}
	sent, err := below.ReadFrom(&io.LimitedReader{R: from.R, N: int64(chunk)})
	from.N -= sent
	return sent, err
}

// readiness returns what says how many bytes can be had from r without waiting, and waits until there are some; 0 is the end. It is nil
// if the kernel cannot send r by itself.
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

// definedIn reports whether r's type is one of package pkg itself, and not one that embeds it and may have a Read of its own. (io.Copy
// passes files and connections in unexported types of these packages, which hide their WriteTo.)
func definedIn(pkg string, r io.Reader) bool {
	t := reflect.TypeOf(r)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == pkg
}

// left is how many bytes there are from where f stands to its end. Files of /proc say that there are none.
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
