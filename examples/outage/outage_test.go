package main

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/clock/clocktest"
)

// On the mock clock, Advance moves the time. When it returns, all that is due by then has happened.
func TestAnHourOfOutageOnTheMockClock(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		testOutage(t, m, m.Advance)
	})
}

// In a plain bubble the code runs on the system's clock, unchanged, and the test sleeps: time jumps to where somebody
// wakes up.
func TestAnHourOfOutageInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		testOutage(t, clock.System(), func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		})
	})
}

// testOutage is the story, whatever makes the time pass.
func testOutage(t *testing.T, c clock.Clock, pass func(time.Duration)) {
	var up upstream
	began := c.Now()
	var asked diary
	f, err := newFeed(c, production, func(ctx context.Context) (int64, error) {
		asked.note(c.Now().Sub(began))
		return up.fetch(ctx)
	})
	require.NoError(t, err)
	t.Cleanup(func() { f.eng.Close(context.Background()) })
	go f.run(t.Context()) // ends with the test

	// All is well: a request every ten seconds.
	pass(25 * time.Second)
	require.Equal(t, inSeconds(0, 10, 20), asked.read())
	require.EqualValues(t, 3, f.price.Load())

	// The upstream goes down. The refresh at 30 s is tried three times, a second and then two apart. The one ten seconds
	// later gets to its second attempt, which is the fifth failure: the breaker opens, and the third is not made.
	up.down.Store(true)
	pass(20 * time.Second)
	require.Equal(t, inSeconds(30, 31, 33, 43, 44), asked.read())
	require.Equal(t, breaker.Open, f.breaker())

	// For an hour, nothing reaches the upstream but a probe every thirty seconds, or at the next refresh after that.
	pass(time.Hour)
	probes := asked.read()
	require.NotEmpty(t, probes)
	for i := range probes[1:] {
		require.InDelta(t, 35*time.Second, probes[i+1]-probes[i], float64(5*time.Second))
	}
	require.EqualValues(t, 3, f.price.Load(), "the last price that came")

	// It comes back. The next probe finds it well and closes the breaker: half a minute and one refresh at most.
	up.down.Store(false)
	pass(40 * time.Second)
	require.Equal(t, breaker.Closed, f.breaker())
	require.Greater(t, f.price.Load(), int64(3))
}

// diary keeps when the upstream was asked.
type diary struct {
	mu sync.Mutex
	at []time.Duration
}

func (d *diary) note(at time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = append(d.at, at)
}

// read returns what has been noted since the last time.
func (d *diary) read() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.at
	d.at = nil
	return at
}

func inSeconds(all ...int) (list []time.Duration) {
	for _, s := range all {
		list = append(list, time.Duration(s)*time.Second)
	}
	return list
}
