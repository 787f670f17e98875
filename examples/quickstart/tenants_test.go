package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

func TestJudge(t *testing.T) {
	open, over, broken := fmt.Errorf("x: %w", breaker.ErrOpen), fmt.Errorf("x: %w", limiter.ErrLimited), errors.New("broken")
	require.Equal(t, answered, judge(nil, 3))
	require.Equal(t, limited, judge(over, 0))
	require.Equal(t, refused, judge(open, 0))
	require.Equal(t, failed, judge(broken, 3))
	require.Equal(t, failed, judge(errors.Join(open, broken), 2), "the breaker opened between two attempts")
	require.Equal(t, failed, judge(broken, 0))
}

func TestPercentile(t *testing.T) {
	var took []time.Duration
	for i := range 100 {
		took = append(took, time.Duration((i*37)%100+1)) // 1 to 100, in disorder
	}
	require.Equal(t, time.Duration(50), percentile(took, 50))
	require.Equal(t, time.Duration(99), percentile(took, 99))
	require.Equal(t, time.Duration(100), percentile(took, 100))
	require.Equal(t, time.Duration(1), percentile(took, 0))
	require.Equal(t, time.Duration(38), took[1], "the order of the calls is left alone")
	require.Equal(t, time.Duration(7), percentile([]time.Duration{7}, 99))
	require.Zero(t, percentile(nil, 50))
}

func TestTally(t *testing.T) {
	var c tally
	c.add(answered, 2, time.Second)
	c.add(refused, 0, time.Millisecond)
	c.add(unfinished, 1, 0)
	require.Equal(t, 2, c.calls())
	require.Equal(t, 2, c.attempts)
	require.Equal(t, []time.Duration{time.Second}, c.took)
}
