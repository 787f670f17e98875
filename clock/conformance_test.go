package clock_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	benbjohnson "github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/clock/clocktest"
)

// bench is a clock under test and the way to move it. After advance returns,
// all that is due has happened.
type bench struct {
	clock.Clock
	advance func(time.Duration)
}

// benches opens a bubble around each kind of clock.
var benches = []struct {
	name string
	run  func(t *testing.T, f func(t *testing.T, b bench))
}{
	{"System", func(t *testing.T, f func(*testing.T, bench)) {
		synctest.Test(t, func(t *testing.T) { f(t, bench{clock.System(), sleep}) })
	}},
	{"WrapMock", func(t *testing.T, f func(*testing.T, bench)) {
		synctest.Test(t, func(t *testing.T) {
			mock := benbjohnson.NewMock()
			f(t, bench{clock.Wrap(narrow{inner: mock}), adder(mock)})
		})
	}},
	{"WrapReal", func(t *testing.T, f func(*testing.T, bench)) {
		synctest.Test(t, func(t *testing.T) {
			f(t, bench{clock.Wrap(narrow{inner: benbjohnson.New()}), sleep})
		})
	}},
	{"Mock", func(t *testing.T, f func(*testing.T, bench)) {
		clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) { f(t, bench{m, m.Advance}) })
	}},
	{"WrapRawOfMock", func(t *testing.T, f func(*testing.T, bench)) {
		clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
			f(t, bench{clock.Wrap(m.Raw()), m.Advance})
		})
	}},
}

// narrow has the two methods of a benbjohnson clock that Wrap may use. Any
// other one is a call of a nil interface and panics.
type narrow struct {
	benbjohnson.Clock
	inner benbjohnson.Clock
}

func (n narrow) Now() time.Time { return n.inner.Now() }

func (n narrow) AfterFunc(d time.Duration, f func()) *benbjohnson.Timer {
	if d <= 0 {
		panic("AfterFunc with a duration that is not positive")
	}
	return n.inner.AfterFunc(d, f)
}

// sleep moves the clock of the bubble.
func sleep(d time.Duration) {
	synctest.Wait()
	time.Sleep(d)
	synctest.Wait()
}

// adder moves a benbjohnson Mock in a bubble.
func adder(mock *benbjohnson.Mock) func(time.Duration) {
	return func(d time.Duration) {
		synctest.Wait()
		mock.Add(d)
		synctest.Wait()
	}
}

// fired reports whether a tick can be received now.
func fired(timer clock.Timer) bool {
	select {
	case <-timer.C():
		return true
	default:
		return false
	}
}

func TestConformance(t *testing.T) {
	for _, kind := range benches {
		t.Run(kind.name, func(t *testing.T) {
			for _, rule := range rules {
				t.Run(rule.name, func(t *testing.T) { kind.run(t, rule.check) })
			}
		})
	}
}

// rules are what clock.Timer promises.
var rules = []struct {
	name  string
	check func(t *testing.T, b bench)
}{
	{"FiresWhenDueNotBefore", func(t *testing.T, b bench) {
		start := b.Now()
		timer := b.NewTimer(time.Second)
		b.advance(time.Second - 1)
		require.False(t, fired(timer))
		b.advance(1)
		select {
		case at := <-timer.C():
			require.Equal(t, time.Second, at.Sub(start))
		default:
			require.Fail(t, "not fired when due")
		}
		b.advance(time.Hour)
		require.False(t, fired(timer), "fired twice")
		require.Equal(t, time.Hour+time.Second, b.Now().Sub(start))
	}},
	{"NoTickAfterStop", func(t *testing.T, b bench) {
		timer := b.NewTimer(time.Second)
		require.True(t, timer.Stop(), "pending")
		require.False(t, timer.Stop(), "stopped")
		b.advance(2 * time.Second)
		require.False(t, fired(timer))

		require.False(t, timer.Reset(time.Second))
		b.advance(2 * time.Second)
		require.True(t, timer.Stop(), "fired, not received")
		require.False(t, fired(timer))

		timer.Reset(time.Second)
		b.advance(time.Second)
		require.True(t, fired(timer))
		require.False(t, timer.Stop(), "received")
	}},
	{"ResetWithoutDrain", func(t *testing.T, b bench) {
		timer := b.NewTimer(time.Second)
		b.advance(time.Second)
		for range 3 {
			require.True(t, timer.Reset(time.Second), "fired, not received")
			require.False(t, fired(timer), "stale tick")
			b.advance(time.Second)
		}
		require.True(t, fired(timer))
		require.False(t, fired(timer))
	}},
	{"ResetMovesTheInstant", func(t *testing.T, b bench) {
		timer := b.NewTimer(time.Second)
		b.advance(time.Second / 2)
		require.True(t, timer.Reset(time.Second))
		b.advance(time.Second - 1)
		require.False(t, fired(timer))
		b.advance(1)
		require.True(t, fired(timer))
	}},
	{"ZeroAndNegativeFireAtOnce", func(t *testing.T, b bench) {
		start := b.Now()
		for _, d := range []time.Duration{0, -1, -time.Hour, -1 << 63} {
			timer := b.NewTimer(d)
			require.True(t, fired(timer), d)
			require.False(t, timer.Reset(time.Second))
			require.True(t, timer.Reset(d))
			require.True(t, fired(timer), d)
			b.advance(0)
			require.False(t, fired(timer), d)
		}
		require.Zero(t, int64(b.Now().Sub(start)/time.Second), "the clock moved")
	}},
	{"SameChannelForLife", func(t *testing.T, b bench) {
		timer := b.NewTimer(time.Hour)
		ch := timer.C()
		got := make(chan struct{})
		go func() { <-ch; close(got) }() // ends with the tick of the Reset
		synctest.Wait()
		timer.Reset(time.Second)
		require.Equal(t, ch, timer.C())
		b.advance(time.Second)
		<-got
	}},
	{"StopFromAnotherGoroutine", func(t *testing.T, b bench) {
		timer := b.NewTimer(time.Second)
		quit, ticked := make(chan struct{}), make(chan bool, 1)
		go func() { // ends with a tick or with quit
			select {
			case <-timer.C():
				ticked <- true
			case <-quit:
				ticked <- false
			}
		}()
		go timer.Stop()
		b.advance(2 * time.Second)
		close(quit)
		require.False(t, <-ticked)
	}},
	{"ExactCountOfRearmings", func(t *testing.T, b bench) {
		var fires atomic.Int64
		var waits sync.WaitGroup
		quit := make(chan struct{})
		want := int64(0)
		for i := range 20 {
			period := time.Duration(i+1) * 10 * time.Millisecond
			want += int64(time.Second / period)
			waits.Go(func() { // ends with quit
				timer := b.NewTimer(period)
				defer timer.Stop()
				for {
					select {
					case <-timer.C():
						fires.Add(1)
						timer.Reset(period)
					case <-quit:
						return
					}
				}
			})
		}
		for _, d := range []time.Duration{1, 9, 90, 200, 0, 333, 367} {
			b.advance(d * time.Millisecond)
		}
		require.Equal(t, want, fires.Load())
		close(quit)
		waits.Wait()
	}},
	{"ManyHandsOnOneTimer", func(t *testing.T, b bench) {
		timer := b.NewTimer(time.Millisecond)
		var hands sync.WaitGroup
		for i := range 8 {
			hands.Go(func() {
				for j := range 50 {
					timer.Reset(time.Duration((i+j)%3-1) * time.Millisecond)
					fired(timer)
					timer.Stop()
				}
			})
		}
		b.advance(10 * time.Millisecond)
		hands.Wait()
		require.False(t, fired(timer), "stale tick after the last Stop")
		timer.Reset(time.Millisecond)
		b.advance(time.Millisecond)
		require.True(t, fired(timer))
		require.False(t, fired(timer))
	}},
}
