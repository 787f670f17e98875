package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScheduleFollowsFromTheSeed(t *testing.T) {
	answers := func(seed uint64) (all []answer) {
		plan := newSchedule(seed, 6*time.Second)
		for shard, tenant := range tenants {
			for n := range uint64(200) {
				all = append(all, plan.answer(shard, tenant.trouble, n, time.Duration(n)*30*time.Millisecond))
			}
		}
		return all
	}
	require.Equal(t, newSchedule(1, 6*time.Second), newSchedule(1, 6*time.Second))
	require.Equal(t, answers(1), answers(1))
	require.NotEqual(t, answers(1), answers(2))
}

func TestScheduleOfTheDyingShard(t *testing.T) {
	for seed := range uint64(100) {
		plan := newSchedule(seed, 6*time.Second)
		require.InDelta(t, 1250*time.Millisecond, plan.dead, float64(250*time.Millisecond))
		require.Equal(t, 2*time.Second, plan.failing-plan.dead)
		require.Less(t, plan.well, 4500*time.Millisecond, "time for the recovery")

		at := func(at time.Duration) int { return plan.answer(2, dying, 0, at).status }
		require.Equal(t, 200, at(plan.dead-1))
		require.Equal(t, 0, at(plan.dead))
		require.Equal(t, 503, at(plan.failing))
		require.Equal(t, 503, at(plan.well-1))
		require.Equal(t, 200, at(plan.well))
	}
}

func TestScheduleNeverFailsTwiceInABlock(t *testing.T) {
	for _, row := range []struct {
		trouble trouble
		bad     func(answer) bool
	}{
		{flaky, func(a answer) bool { return a.status == 503 }},
		{slow, func(a answer) bool { return a.delay > 100*time.Millisecond }},
		{busy, func(a answer) bool { return a.status == 429 && a.retryAfter == 1 }},
	} {
		plan, size := newSchedule(3, 6*time.Second), uint64(every[row.trouble])
		for block := range uint64(20) {
			bad := 0
			for n := range size {
				if row.bad(plan.answer(0, row.trouble, block*size+n, time.Second)) {
					bad++
				}
			}
			require.Equal(t, 1, bad, "block %d of trouble %d", block, row.trouble)
		}
	}
	plan := newSchedule(3, 6*time.Second)
	for n := range uint64(200) {
		require.Equal(t, 200, plan.answer(0, healthy, n, 2*time.Second).status)
	}
}
