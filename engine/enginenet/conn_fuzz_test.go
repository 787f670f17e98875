package enginenet_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
)

// FuzzConn makes the calls that script spells, two bytes each, on a connection with two limits, the first of which has a bucket of its own.
// No byte is lost, doubled or moved by deadlines that end waits, and no window of time holds more than its due.
func FuzzConn(f *testing.F) {
	f.Add([]byte{0, 255, 1, 255, 0, 3, 1, 3}, uint8(16), uint8(4))
	f.Add([]byte{2, 1, 1, 200, 1, 200, 3, 0, 1, 200, 1, 1, 0, 99}, uint8(2), uint8(200))
	f.Add([]byte{2, 9, 0, 255, 0, 255, 3, 0, 4, 7, 0, 255, 5, 255, 2, 2, 5, 200, 3, 0, 5, 30}, uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, script []byte, blocks, rate uint8) {
		if len(script) > 200 {
			return
		}
		burst, speed := (2+int(blocks))*enginenet.Block, (1+int(rate))*enginenet.Block
		synctest.Test(t, func(t *testing.T) {
			perConn, perKey := start(t, burst, speed), start(t, burst+enginenet.Block, 2*speed)
			source := pattern(32 * kib)
			w := newWire(newJournal(), bytes.NewReader(source))
			c := enginenet.Wrap(w, enginenet.Limit{Engine: perConn, Key: "conn"}, only(perKey))
			delivered := newJournal()
			got, sent := []byte(nil), []byte(nil)
			for ; len(script) > 1; script = script[2:] {
				n := int(script[1]) * 5
				var err error
				switch script[0] % 6 {
				case 0:
					n, err = c.Write(source[:n])
					sent = append(sent, source[:n]...)
				case 1:
					buf := make([]byte, n)
					n, err = c.Read(buf)
					got = append(got, buf[:n]...)
					delivered.note(n)
				case 2:
					err = c.SetDeadline(time.Now().Add(time.Duration(n) * time.Millisecond))
				case 3:
					err = c.SetDeadline(time.Time{})
				case 4:
					time.Sleep(time.Duration(n) * time.Millisecond) // of the bubble
				case 5:
					var m int64
					m, err = c.ReadFrom(bytes.NewReader(source[:n]))
					sent = append(sent, source[:m]...)
				}
				if err != nil && err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, source[:len(got)]) || !bytes.Equal(sent, w.written.Bytes()) {
				t.Errorf("%d bytes were read, %d were taken and %d written", len(got), len(sent), w.written.Len())
			}
			for name, passages := range map[string][]passage{"read": delivered.passages, "written": w.journal.passages} {
				for _, eng := range []*engine.Engine{perConn, perKey} {
					limit := eng.Limits()[0]
					if over := excess(passages, limit.Capacity()*enginenet.Block, limit.Interval()); over > enginenet.Block-1 {
						t.Errorf("%d bytes too many were %s", over, name)
					}
				}
			}
		})
	})
}
