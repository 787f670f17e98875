package clocktest_test

import (
	"fmt"
	"testing"
	"time"

	benbjohnson "github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/clock/clocktest"
)

// remind is code under test: it calls say d from now.
func remind(c clock.Clock, d time.Duration, say func(late time.Duration)) {
	due := c.Now().Add(d)
	<-c.NewTimer(d).C()
	say(c.Now().Sub(due))
}

// A test of remind. After Advance returns there is nothing to wait for.
func TestExampleRun(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, m *clocktest.Mock) {
		said := 0
		go remind(m, time.Hour, func(time.Duration) { said++ })

		m.Advance(59 * time.Minute)
		require.Equal(t, 0, said)
		m.Advance(time.Minute)
		require.Equal(t, 1, said)
	})
}

// Outside a test there is no bubble. A benbjohnson Mock can still move the
// code, but somebody has to see to it that a timer is armed before Add.
func Example_withoutABubble() {
	mock := benbjohnson.NewMock()
	c := clock.Wrap(mock)

	timer := c.NewTimer(time.Hour)
	mock.Add(time.Hour)
	fmt.Println((<-timer.C()).UTC().Format(time.TimeOnly))
	// Output: 01:00:00
}
