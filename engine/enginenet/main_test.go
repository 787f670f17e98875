package enginenet_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
	"github.com/limitpal/limitpal-go/limiter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const kib = 1 << 10

// start makes an engine with buckets of burst bytes that gain rate bytes per second, and closes it when the test ends. In a bubble, call
// it inside.
func start(t testing.TB, burst, rate int) *engine.Engine {
	t.Helper()
	return startWith(t, engine.Config{Limiter: bucket(burst, rate)})
}

// startOnce makes an engine whose buckets hold burst bytes and gain a block in an hour. However busy
// the machine is, no test sees a bucket gain anything.
func startOnce(t testing.TB, burst int) *engine.Engine {
	t.Helper()
	return startWith(t, engine.Config{
		Limiter: limiter.TokenBucket{Capacity: burst / enginenet.Block, RefillRate: limiter.Per(1, time.Hour)},
	})
}

func startWith(t testing.TB, cfg engine.Config) *engine.Engine {
	t.Helper()
	eng, err := engine.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close(context.Background())) })
	return eng
}

func bucket(burst, rate int) limiter.TokenBucket {
	return limiter.TokenBucket{
		Capacity:   burst / enginenet.Block,
		RefillRate: limiter.PerSecond(float64(rate) / enginenet.Block),
	}
}

// only is a limit for writes and reads under the key "k".
func only(eng *engine.Engine) enginenet.Limit { return enginenet.Limit{Engine: eng, Key: "k"} }

// available is how many bytes the bucket of key holds.
func available(t testing.TB, eng *engine.Engine, key string) int {
	t.Helper()
	s, known := eng.Inspect(key)
	require.True(t, known, key)
	return int(s.Limits[0].Available) * enginenet.Block
}

// tcp is a connection over loopback, both of its ends.
func tcp(t testing.TB) (near, far *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	dialed, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	accepted, err := ln.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = dialed.Close(), accepted.Close() })
	return accepted.(*net.TCPConn), dialed.(*net.TCPConn)
}

// inBackground starts f and returns the channel on which its error comes.
func inBackground(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// passage is when some bytes passed.
type passage struct {
	at    time.Duration
	bytes int
}

// journal is what passed where it was watched.
type journal struct {
	mu       sync.Mutex
	begun    time.Time
	passages []passage
	total    int
}

func newJournal() *journal { return &journal{begun: time.Now()} }

func (j *journal) note(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.passages = append(j.passages, passage{time.Since(j.begun), n})
	j.total += n
}

// excess is by how many bytes, rounded up, the worst of all windows of passages holds more than burst bytes + a block every interval × its
// length; 0 if none does. The word of the generic cell rate algorithm, here in nanoseconds × Block, is the greatest over all windows that
// end now of what passed in them less what the rate gives.
func excess(passages []passage, burst int, interval time.Duration) int {
	var word, worst int64
	for _, p := range passages {
		now := int64(p.at) * enginenet.Block
		word = max(word, now) + int64(p.bytes)*int64(interval)
		worst = max(worst, word-now-int64(burst)*int64(interval))
	}
	return int((worst + int64(interval) - 1) / int64(interval))
}

// wire is a connection without a network: it notes what is written to it, and what is read comes from source.
type wire struct {
	journal *journal
	source  io.Reader // nil: nothing ever comes

	mu      sync.Mutex
	written bytes.Buffer
	closed  chan struct{}
	once    sync.Once
}

func newWire(j *journal, source io.Reader) *wire {
	return &wire{journal: j, source: source, closed: make(chan struct{})}
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.journal.note(len(p))
	return w.written.Write(p)
}

func (w *wire) Read(p []byte) (int, error) {
	if w.source == nil {
		<-w.closed
		return 0, net.ErrClosed
	}
	return w.source.Read(p)
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

func (w *wire) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443} }
func (w *wire) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 50312} }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// endless is a source that always has more.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// sink is a wire that forgets.
type sink struct{ *wire }

func (sink) Write(p []byte) (int, error) { return len(p), nil }

// pattern is n bytes that are not all the same.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8)
	}
	return p
}
