package enginenet_test

import (
	"bytes"
	"flag"
	"io"
	"math/rand"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
)

var steady = flag.Duration("enginenet.steady", time.Second, "how long the steady rate is measured, by the clock of a bubble")

// TestTheSteadyRateIsThatOfTheLimit within 2 %, once the burst has gone.
func TestTheSteadyRateIsThatOfTheLimit(t *testing.T) {
	const burst, rate = 4 << 20, 8 << 20
	for name, connections := range map[string]int{"one connection": 1, "four of a key": 4} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &enginenet.Listener{PerKey: start(t, burst, rate)}
				arrived, data := newJournal(), pattern(64*kib)
				var ends sync.WaitGroup
				for range connections {
					near, client := net.Pipe()
					server := accept(t, l, near)[0]
					within(t, server, *steady)
					ends.Go(func() {
						for _, err := server.Write(data); err == nil; {
							_, err = server.Write(data)
						}
						_ = server.Close()
					})
					ends.Go(func() {
						buf := make([]byte, 64*kib)
						for n, err := client.Read(buf); err == nil; n, err = client.Read(buf) {
							arrived.note(n)
						}
					})
				}
				ends.Wait()
				require.Equal(t, *steady, time.Since(arrived.begun))
				got := float64(arrived.total-burst) / steady.Seconds()
				t.Logf("%.0f bytes per second beyond the burst, %+.2f %% of the limit", got, 100*(got/rate-1))
				require.InEpsilon(t, rate, got, 0.02)
			})
		})
	}
}

// TestNoBurstAboveTheCapacityEverLeaves: in no window of time do more bytes pass than capacity + rate × its length, over several
// connections of a key with several writers and a reader each.
func TestNoBurstAboveTheCapacityEverLeaves(t *testing.T) {
	const connections, writers = 3, 3
	for name, row := range map[string]struct {
		burst, rate, size, odd int
	}{
		"slow, whole blocks": {4 * kib, 8 * kib, 10 * kib, enginenet.Block},
		"fast, whole blocks": {64 * kib, 8 << 20, 300 * kib, enginenet.Block},
		"slow, odd sizes":    {4 * kib, 8 * kib, 3000, 1},
		"one block":          {enginenet.Block, 8 * kib, kib, enginenet.Block},
	} {
		t.Run(name, func(t *testing.T) {
			for i, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
				synctest.Test(t, func(t *testing.T) {
					perKey := startWith(t, engine.Config{Limiter: bucket(row.burst, row.rate), Dispatch: d, MaxQueue: 3 * i}) // the default, and fewer than there are
					perConn := startWith(t, engine.Config{Limiter: bucket(max(64, row.burst/2), row.rate/2), Dispatch: d})
					random := rand.New(rand.NewSource(1))
					sent, delivered, own := newJournal(), newJournal(), make([]*journal, connections)
					var ends sync.WaitGroup
					for i := range connections {
						own[i] = newJournal()
						w := &twoJournals{wire: newWire(sent, bytes.NewReader(pattern(4*row.size/row.odd*row.odd))), own: own[i]}
						c := enginenet.Wrap(w, enginenet.Limit{Engine: perConn, Key: string(rune('a' + i))}, only(perKey))
						for range writers {
							seed := random.Int63()
							ends.Go(func() { writeAtRandom(t, c, seed, row.size, row.odd) })
						}
						ends.Go(func() { readAll(c, delivered, row.size) })
					}
					ends.Wait()
					interval := perKey.Limits()[0].Interval()
					carried := 0 // per connection
					switch {
					case row.odd == 1:
						carried = enginenet.Block - 1 // of the last block
					case row.burst == enginenet.Block:
						carried = enginenet.Block // less than a block that renew cannot take, rounded up by excess
					}
					require.LessOrEqual(t, excess(sent.passages, row.burst, interval), connections*carried)
					require.LessOrEqual(t, excess(delivered.passages, row.burst, interval), connections*carried)
					for _, j := range own {
						require.LessOrEqual(t, excess(j.passages, max(64, row.burst/2), perConn.Limits()[0].Interval()), carried)
					}
					require.Positive(t, excess(sent.passages, row.burst*3/4, interval), "the burst was never used")
					require.Equal(t, connections*(4*row.size/row.odd*row.odd), delivered.total)
				})
			}
		})
	}
}

// twoJournals is a wire that notes what is written in a journal of its own, too.
type twoJournals struct {
	*wire
	own *journal
}

func (w *twoJournals) Write(p []byte) (int, error) {
	w.own.note(len(p))
	return w.wire.Write(p)
}

// writeAtRandom writes buffers of up to size bytes, each a multiple of odd, with pauses.
func writeAtRandom(t *testing.T, c net.Conn, seed int64, size, odd int) {
	random := rand.New(rand.NewSource(seed))
	for range 20 {
		n, err := c.Write(make([]byte, (1+random.Intn(size))/odd*odd))
		if err != nil {
			t.Errorf("after %d bytes: %v", n, err)
			return
		}
		if random.Intn(3) == 0 {
			time.Sleep(time.Duration(random.Int63n(int64(2 * time.Second)))) // of the bubble
		}
	}
}

// readAll reads to the end and notes what it got.
func readAll(c net.Conn, j *journal, size int) {
	buf := make([]byte, size)
	for {
		n, err := c.Read(buf)
		if err == io.EOF {
			return
		}
		j.note(n)
	}
}

// TestTheCheckOfWindowsFindsAnExcess of a byte, and none where there is none.
func TestTheCheckOfWindowsFindsAnExcess(t *testing.T) {
	const interval = time.Millisecond // 64 bytes
	at := func(d time.Duration, n int) passage { return passage{d, n} }
	for _, row := range []struct {
		passages []passage
		want     int
	}{
		{[]passage{at(0, 128), at(interval, 64), at(3*interval, 128)}, 0},
		{[]passage{at(0, 129)}, 1},
		{[]passage{at(0, 1), at(time.Hour, 128), at(time.Hour+interval-1, 64)}, 1},
		{[]passage{at(time.Hour, 64), at(time.Hour, 64), at(time.Hour+interval/2, 64)}, 32},
	} {
		require.Equal(t, row.want, excess(row.passages, 128, interval), row.passages)
	}
}
