package enginenet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine/enginenet"
)

// handed is what a ReadFrom was given and what it came to.
type handed struct {
	source io.Reader
	asked  int64
	sent   int64
}

// kernel is a *net.TCPConn that notes what it is to send by itself: its ReadFrom is where sendfile and splice are.
type kernel struct {
	*net.TCPConn
	handed []handed
}

func (k *kernel) ReadFrom(r io.Reader) (int64, error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		n, err := k.TCPConn.ReadFrom(r)
		k.handed = append(k.handed, handed{r, -1, n})
		return n, err
	}
	h := handed{source: limited.R, asked: limited.N}
	n, err := k.TCPConn.ReadFrom(r)
	h.sent = n
	k.handed = append(k.handed, h)
	return n, err
}

// fileOf is a file that holds data.
func fileOf(t testing.TB, data []byte) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.WriteFile(name, data, 0o600))
	f, err := os.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// receive starts to read all that comes from c.
func receive(c net.Conn) <-chan []byte {
	all := make(chan []byte, 1)
	go func() {
		data, _ := io.ReadAll(c)
		all <- data
	}()
	return all
}

func TestAFileIsSentByTheKernel(t *testing.T) {
	data := pattern(200*kib + 17)
	for name, row := range map[string]struct {
		send  func(c *enginenet.Conn, f *os.File) (int64, error)
		bytes int
	}{
		"the file":        {func(c *enginenet.Conn, f *os.File) (int64, error) { return c.ReadFrom(f) }, len(data)},
		"by io.Copy":      {func(c *enginenet.Conn, f *os.File) (int64, error) { return io.Copy(c, f) }, len(data)},
		"by io.CopyN":     {func(c *enginenet.Conn, f *os.File) (int64, error) { return io.CopyN(c, f, 100*kib+1) }, 100*kib + 1},
		"limit above end": {func(c *enginenet.Conn, f *os.File) (int64, error) { return c.ReadFrom(io.LimitReader(f, 1<<40)) }, len(data)},
		"nothing":         {func(c *enginenet.Conn, f *os.File) (int64, error) { return c.ReadFrom(io.LimitReader(f, 0)) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := tcp(t)
			below := &kernel{TCPConn: near}
			eng := start(t, 512*kib, 64)
			c := enginenet.Wrap(below, only(eng))
			all := receive(far)
			f := fileOf(t, data)
			n, err := row.send(c, f)
			require.NoError(t, err)
			require.EqualValues(t, row.bytes, n)
			require.NoError(t, c.Close())
			require.Equal(t, data[:row.bytes], append([]byte{}, <-all...))
			sent := int64(0)
			for _, h := range below.handed {
				_, ok := h.source.(interface{ Sync() error }) // the *os.File itself, or as os hides its WriteTo
				require.True(t, ok, "%T", h.source)
				require.Equal(t, h.asked, h.sent)
				require.LessOrEqual(t, h.asked, int64(64*kib))
				sent += h.sent
			}
			require.Equal(t, n, sent)
			if n > 0 {
				require.GreaterOrEqual(t, available(t, eng, "k writes"), 512*kib-row.bytes-enginenet.Block)
			}
		})
	}
}

func TestAFileIsSentFromWhereItStands(t *testing.T) {
	near, far := tcp(t)
	eng := start(t, 64*kib, 64)
	c := enginenet.Wrap(&kernel{TCPConn: near}, only(eng))
	all := receive(far)
	f := fileOf(t, pattern(10*kib))
	_, err := f.Seek(9*kib, io.SeekStart)
	require.NoError(t, err)
	limited := &io.LimitedReader{R: f, N: 2 * kib}
	n, err := c.ReadFrom(limited)
	require.NoError(t, err)
	require.EqualValues(t, kib, n)
	require.EqualValues(t, kib, limited.N)
	require.NoError(t, c.Close())
	require.Equal(t, pattern(10 * kib)[9*kib:], <-all)
	require.Greater(t, available(t, eng, "k writes"), 62*kib) // nothing is paid that is not sent
}

func TestADeadlineEndsTheSendingOfAFile(t *testing.T) {
	near, far := tcp(t)
	c := enginenet.Wrap(&kernel{TCPConn: near}, only(startOnce(t, 16*kib)))
	var n int64
	f := fileOf(t, pattern(64*kib))
	sending := inBackground(func() (err error) { n, err = c.ReadFrom(f); return err })
	got := make([]byte, 16*kib)
	_, err := io.ReadFull(far, got)
	require.NoError(t, err)
	require.NoError(t, c.SetWriteDeadline(time.Now().Add(10*time.Millisecond)))
	requireTimeout(t, <-sending)
	require.EqualValues(t, 16*kib, n)
	require.Equal(t, pattern(64 * kib)[:16*kib], got)
}

// wrapped is a file with a Read of its own, which the kernel must not pass by.
type wrapped struct{ *os.File }

func (w wrapped) Read(p []byte) (int, error) {
	n, err := w.File.Read(p)
	copy(p, bytes.ToUpper(p[:n]))
	return n, err
}

func (w wrapped) WriteTo(to io.Writer) (int64, error) {
	return io.Copy(to, struct{ io.Reader }{w})
}

func TestAnythingElseIsCopied(t *testing.T) {
	text := strings.Repeat("limit ", 20000)
	pipe, feed, err := os.Pipe()
	require.NoError(t, err)
	defer pipe.Close()
	fed := inBackground(func() error {
		_, err := feed.WriteString(text)
		return errors.Join(err, feed.Close())
	})
	for name, row := range map[string]struct {
		source io.Reader
		want   string
	}{
		"reader":         {strings.NewReader(text), text},
		"limited reader": {io.LimitReader(strings.NewReader(text), 1001), text[:1001]},
		"pipe":           {pipe, text},
		"wrapper":        {wrapped{fileOf(t, []byte(text))}, strings.ToUpper(text)},
		"limited wrapper": {io.LimitReader(wrapped{fileOf(t, []byte(text))}, 1001),
			strings.ToUpper(text)[:1001]},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := tcp(t)
			below := &kernel{TCPConn: near}
			c := enginenet.Wrap(below, only(start(t, 512*kib, 64)))
			all := receive(far)
			n, err := c.ReadFrom(row.source)
			require.NoError(t, err)
			require.EqualValues(t, len(row.want), n)
			require.NoError(t, c.Close())
			require.Equal(t, row.want, string(<-all))
			require.Empty(t, below.handed)
		})
	}
	require.NoError(t, <-fed)
}

func TestReadFromOfAConnectionThatHasNone(t *testing.T) {
	for name, limits := range map[string][]enginenet.Limit{"limited": {only(start(t, 64*kib, 64))}, "free": nil} {
		t.Run(name, func(t *testing.T) {
			w := newWire(newJournal(), nil)
			n, err := enginenet.Wrap(w, limits...).ReadFrom(fileOf(t, pattern(3*kib)))
			require.NoError(t, err)
			require.EqualValues(t, 3*kib, n)
			require.Equal(t, pattern(3*kib), w.written.Bytes())
		})
	}
}

func TestReadFromWithoutALimitIsThatOfTheConnectionBelow(t *testing.T) {
	near, _ := tcp(t)
	below := &kernel{TCPConn: near}
	f := fileOf(t, pattern(3*kib))
	_, err := enginenet.Wrap(below).ReadFrom(f)
	require.NoError(t, err)
	require.Equal(t, []handed{{f, -1, 3 * kib}}, below.handed)
}

// kernelListener makes its connections kernels.
type kernelListener struct {
	net.Listener
	accepted chan *kernel
}

func (l kernelListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	k := &kernel{TCPConn: c.(*net.TCPConn)}
	l.accepted <- k
	return k, nil
}

// TestAnHTTPServerSendsFilesByTheKernel is about what is lost to http.ServeFile if a connection only embeds another.
func TestAnHTTPServerSendsFilesByTheKernel(t *testing.T) {
	data := pattern(300 * kib)
	name := fileOf(t, data).Name()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	below := kernelListener{ln, make(chan *kernel, 1)}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) })}
	serving := inBackground(func() error {
		return server.Serve(&enginenet.Listener{Listener: below, PerConn: start(t, 512*kib, 1<<20)})
	})
	transport := &http.Transport{}
	answer, err := (&http.Client{Transport: transport}).Get("http://" + ln.Addr().String())
	require.NoError(t, err)
	got, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, data, got)
	transport.CloseIdleConnections()
	require.NoError(t, server.Shutdown(t.Context()))
	require.ErrorIs(t, <-serving, http.ErrServerClosed)

	sent := int64(0)
	for _, h := range (<-below.accepted).handed {
		require.IsType(t, &os.File{}, h.source)
		require.Equal(t, h.asked, h.sent)
		sent += h.sent
	}
	require.GreaterOrEqual(t, sent, int64(len(data)-512)) // net/http reads 512 bytes to tell what it is
}
