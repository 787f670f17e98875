package retry_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/retry"
)

const (
	ms         = time.Millisecond
	noDeadline = time.Duration(math.MaxInt64)
)

var errBoom = errors.New("boom")

// delays runs one call that fails always, with no deadline, and collects its
// waits. It is for policies that end within 1000 attempts.
func delays(p retry.Policy, call uint64) (waits []time.Duration, final error) {
	s := p.Schedule(call)
	for range 1000 {
		d, final, ok := s.Next(errBoom, 0, noDeadline)
		if !ok {
			return waits, final
		}
		waits = append(waits, d)
	}
	return waits, nil
}

func requireExhausted(t *testing.T, err error, attempts int, last error) {
	t.Helper()
	gaveUp, ok := err.(*retry.ExhaustedError)
	require.True(t, ok, "want *ExhaustedError, got %T: %v", err, err)
	require.Equal(t, attempts, gaveUp.Attempts)
	require.True(t, gaveUp.Err == last, "last error is %v", gaveUp.Err)
	require.ErrorIs(t, err, last)
}

func TestBackoffGrowsFromBaseToMax(t *testing.T) {
	for name, tc := range map[string]struct {
		policy retry.Policy
		want   []time.Duration
	}{
		"defaults":                   {retry.Policy{}, []time.Duration{100 * ms, 200 * ms}},
		"default cap is 5s":          {retry.Policy{MaxAttempts: 9}, []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms}},
		"long base lifts the cap":    {retry.Policy{BaseDelay: time.Minute}, []time.Duration{time.Minute, time.Minute}},
		"low cap lowers the base":    {retry.Policy{MaxDelay: 7 * ms}, []time.Duration{7 * ms, 7 * ms}},
		"cap above the default base": {retry.Policy{MaxDelay: 150 * ms}, []time.Duration{100 * ms, 150 * ms}},
		"constant":                   {retry.Policy{MaxAttempts: 4, BaseDelay: ms, Backoff: 1}, []time.Duration{ms, ms, ms}},
		"one and a half":             {retry.Policy{MaxAttempts: 5, BaseDelay: 8, Backoff: 1.5}, []time.Duration{8, 12, 18, 27}},
		"up to the longest of all":   {retry.Policy{BaseDelay: 1 << 62, MaxDelay: math.MaxInt64}, []time.Duration{1 << 62, math.MaxInt64}},
		"one attempt never waits":    {retry.Policy{MaxAttempts: 1}, nil},
		"two attempts wait once":     {retry.Policy{MaxAttempts: 2}, []time.Duration{100 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.policy.Jitter = retry.NoJitter
			got, final := delays(tc.policy, 0)
			assert.Equal(t, tc.want, got)
			requireExhausted(t, final, len(tc.want)+1, errBoom)
		})
	}
}

func TestNonRetryableErrorComesBackItself(t *testing.T) {
	declined := errors.New("declined")
	outer := fmt.Errorf("outer: %w", retry.Permanent(errBoom))
	joined := errors.Join(declined, retry.Permanent(errBoom))
	listed := &opaqueList{[]error{declined, retry.Permanent(errBoom)}}
	for name, tc := range map[string]struct{ err, want error }{
		"Permanent":                    {retry.Permanent(errBoom), errBoom},
		"Permanent twice":              {retry.Permanent(retry.Permanent(errBoom)), errBoom},
		"Permanent around After":       {retry.Permanent(retry.After(errBoom, ms)), errBoom},
		"After around Permanent":       {retry.After(retry.Permanent(errBoom), ms), errBoom},
		"Permanent under fmt.Errorf":   {outer, outer},
		"After around outer Permanent": {retry.After(outer, ms), outer},
		"Permanent in errors.Join":     {joined, joined},
		"Permanent behind an As":       {listed, listed},
		"RetryIf false":                {declined, declined},
		"RetryIf false under After":    {retry.After(declined, ms), declined},
	} {
		for _, attempts := range []int{1, 5} { // also when it was the last attempt anyway
			t.Run(fmt.Sprintf("%s, MaxAttempts %d", name, attempts), func(t *testing.T) {
				s := retry.Policy{MaxAttempts: attempts, RetryIf: func(err error) bool { return err != declined }}.Schedule(0)
				delay, final, ok := s.Next(tc.err, 0, noDeadline)
				assert.False(t, ok)
				assert.Zero(t, delay)
				assert.True(t, final == tc.want, "final is %v", final)
			})
		}
	}
}

// opaqueList is an error list that shows its members to errors.As alone.
type opaqueList struct{ members []error }

func (*opaqueList) Error() string        { return "list" }
func (l *opaqueList) As(target any) bool { return errors.As(errors.Join(l.members...), target) }

func TestRetryIfSeesTheErrorWithoutOuterWrappers(t *testing.T) {
	var seen []error
	s := retry.Policy{MaxAttempts: 9, RetryIf: func(err error) bool { seen = append(seen, err); return true }}.Schedule(0)
	outer := fmt.Errorf("outer: %w", retry.After(errBoom, 1))
	for _, err := range []error{errBoom, retry.After(errBoom, 1), outer, retry.Permanent(errBoom)} {
		_, _, _ = s.Next(err, 0, noDeadline)
	}
	require.Len(t, seen, 3, "RetryIf is not asked about a permanent error")
	assert.True(t, seen[0] == errBoom)
	assert.True(t, seen[1] == errBoom)
	assert.True(t, seen[2] == outer)
}

func TestNilErrorEndsTheCall(t *testing.T) {
	s := retry.Policy{}.Schedule(0)
	delay, final, ok := s.Next(nil, 0, noDeadline)
	assert.Zero(t, delay)
	assert.NoError(t, final)
	assert.False(t, ok)
}

func TestTimeThatIsLeftDecides(t *testing.T) {
	const wait = 100 * ms // the first backoff
	for name, tc := range map[string]struct {
		limit, elapsed, left time.Duration
		ok                   bool
	}{
		"R5 delay ends before the deadline":      {0, 0, wait + 1, true},
		"R5 delay ends at the deadline":          {0, 0, wait, false},
		"R5 delay ends past the deadline":        {0, 0, wait - 1, false},
		"R5 deadline is now":                     {0, 0, 0, false},
		"R5 deadline has passed":                 {0, 0, -1, false},
		"R5 deadline passed for ever":            {0, 0, math.MinInt64, false},
		"retry begins within MaxElapsed":         {wait + 2, 1, noDeadline, true},
		"retry begins at MaxElapsed":             {wait + 1, 1, noDeadline, true},
		"retry begins after MaxElapsed":          {wait, 1, noDeadline, false},
		"MaxElapsed is over":                     {wait, wait + 1, noDeadline, false},
		"MaxElapsed is long over":                {1, math.MaxInt64, noDeadline, false},
		"MaxElapsed without end":                 {math.MaxInt64, 1, noDeadline, true},
		"clock ran back":                         {math.MaxInt64, math.MinInt64, noDeadline, true},
		"MaxElapsed allows, deadline does not":   {time.Hour, 0, wait, false},
		"deadline allows, MaxElapsed does not":   {wait - 1, 0, time.Hour, false},
		"no bound at all":                        {0, math.MaxInt64, noDeadline, true},
		"both allow, remaining is one below max": {time.Hour, 0, noDeadline - 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := retry.Policy{MaxElapsed: tc.limit, Jitter: retry.NoJitter}.Schedule(0)
			delay, final, ok := s.Next(errBoom, tc.elapsed, tc.left)
			require.Equal(t, tc.ok, ok)
			if !ok {
				assert.Zero(t, delay)
				requireExhausted(t, final, 1, errBoom)
				return
			}
			assert.Equal(t, wait, delay)
			assert.NoError(t, final)
		})
	}
}

// R2: advice is a floor, bounded by MaxDelay, MaxElapsed and the deadline.
func TestR2AdviceIsAFloorAndBounded(t *testing.T) {
	base := retry.Policy{MaxAttempts: 3, BaseDelay: 100 * ms, MaxDelay: time.Second, Jitter: retry.NoJitter}
	bounded := base
	bounded.MaxElapsed = 500 * ms
	for name, tc := range map[string]struct {
		policy retry.Policy
		err    error
		left   time.Duration
		want   time.Duration // 0: give up
	}{
		"longer than the backoff":      {base, retry.After(errBoom, 300*ms), noDeadline, 300 * ms},
		"shorter than the backoff":     {base, retry.After(errBoom, 30*ms), noDeadline, 100 * ms},
		"zero":                         {base, retry.After(errBoom, 0), noDeadline, 100 * ms},
		"negative counts as zero":      {base, retry.After(errBoom, -time.Hour), noDeadline, 100 * ms},
		"exactly MaxDelay":             {base, retry.After(errBoom, time.Second), noDeadline, time.Second},
		"above MaxDelay":               {base, retry.After(errBoom, time.Second+1), noDeadline, 0},
		"a hundred days":               {base, retry.After(errBoom, 2400*time.Hour), noDeadline, 0},
		"without end":                  {base, retry.After(errBoom, math.MaxInt64), noDeadline, 0},
		"reaches the deadline":         {base, retry.After(errBoom, 300*ms), 300 * ms, 0},
		"just before the deadline":     {base, retry.After(errBoom, 300*ms), 300*ms + 1, 300 * ms},
		"past MaxElapsed":              {bounded, retry.After(errBoom, 501*ms), noDeadline, 0},
		"up to MaxElapsed":             {bounded, retry.After(errBoom, 500*ms), noDeadline, 500 * ms},
		"under fmt.Errorf":             {base, fmt.Errorf("outer: %w", retry.After(errBoom, 300*ms)), noDeadline, 300 * ms},
		"longest of two, nested":       {base, retry.After(retry.After(errBoom, 400*ms), 200*ms), noDeadline, 400 * ms},
		"longest of two, joined":       {base, errors.Join(retry.After(errBoom, 200*ms), retry.After(errBoom, 400*ms)), noDeadline, 400 * ms},
		"longest of two, behind an As": {base, &opaqueList{[]error{retry.After(errBoom, 200*ms), retry.After(errBoom, 400*ms)}}, noDeadline, 400 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			s := tc.policy.Schedule(0)
			delay, final, ok := s.Next(tc.err, 0, tc.left)
			require.Equal(t, tc.want > 0, ok)
			require.Equal(t, tc.want, delay)
			if !ok {
				requireExhausted(t, final, 1, errBoom)
			}
		})
	}
}

func TestAdviceIsNeverJitteredDown(t *testing.T) {
	for _, jitter := range []retry.Jitter{retry.FullJitter, retry.EqualJitter, retry.DecorrelatedJitter} {
		for seed := uint64(1); seed <= 200; seed++ {
			s := retry.Policy{BaseDelay: 100 * ms, MaxDelay: time.Second, Jitter: jitter, Seed: seed}.Schedule(0)
			delay, _, ok := s.Next(retry.After(errBoom, 90*ms), 0, noDeadline)
			require.True(t, ok)
			require.GreaterOrEqual(t, delay, 90*ms, "%v with seed %d", jitter, seed)
		}
	}
}

func TestAdviceDoesNotFeedDecorrelatedJitter(t *testing.T) {
	p := retry.Policy{MaxAttempts: 3, BaseDelay: ms, MaxDelay: time.Hour, Jitter: retry.DecorrelatedJitter}
	for p.Seed = 1; p.Seed <= 100; p.Seed++ {
		s := p.Schedule(0)
		_, _, _ = s.Next(retry.After(errBoom, time.Hour), 0, noDeadline)
		delay, _, _ := s.Next(errBoom, 0, noDeadline)
		require.LessOrEqual(t, delay, 9*ms, "seed %d", p.Seed)
	}
}

// R1: the backoff stays at the cap however many attempts have failed.
func TestR1BackoffNeverOverflows(t *testing.T) {
	for _, limit := range []time.Duration{5 * time.Second, math.MaxInt64} {
		for _, backoff := range []float64{1, math.Nextafter(1, 2), 1.5, 2, 1e300, math.MaxFloat64} {
			for _, skip := range []int{0, 1, 30, 36, 37, 38, 62, 63, 64, 1023, 1024, 1 << 20, 1 << 30, 1<<31 - 3} {
				s := retry.Policy{MaxAttempts: math.MaxInt, BaseDelay: ms, MaxDelay: limit, Backoff: backoff, Jitter: retry.NoJitter}.Schedule(0)
				s.Skip(skip)
				delay, _, ok := s.Next(errBoom, 0, noDeadline)
				require.True(t, ok)
				require.GreaterOrEqual(t, delay, ms)
				require.LessOrEqual(t, delay, limit)
				if backoff >= 1.5 && skip >= 1<<20 {
					require.Equal(t, limit, delay)
				}
			}
		}
	}
}

func TestR1LongestDelaysOfAllDoNotOverflow(t *testing.T) {
	const odd = math.MaxInt64 - 1 // rounds up as a float64
	for _, base := range []time.Duration{math.MaxInt64, odd, math.MaxInt64/3 + 1, 1<<62 + 1<<61, 1<<53 + 1} {
		for jitter := retry.FullJitter; jitter <= retry.DecorrelatedJitter; jitter++ {
			p := retry.Policy{MaxAttempts: 6, BaseDelay: base, MaxDelay: max(base, odd), Backoff: 1, Jitter: jitter}
			for p.Seed = 0; p.Seed < 30; p.Seed++ {
				got, final := delays(p, 0)
				require.Len(t, got, 5)
				requireExhausted(t, final, 6, errBoom)
				for _, d := range got {
					require.GreaterOrEqual(t, d, time.Duration(0))
					require.LessOrEqual(t, d, p.MaxDelay)
					if jitter == retry.NoJitter {
						require.Equal(t, base, d)
					}
				}
			}
		}
	}
}

func TestStripRemovesOutermostWrappersOnly(t *testing.T) {
	inner := fmt.Errorf("outer: %w", retry.Permanent(errBoom))
	assert.NoError(t, retry.Strip(nil))
	assert.True(t, retry.Strip(errBoom) == errBoom)
	assert.True(t, retry.Strip(retry.After(retry.Permanent(retry.After(errBoom, 1)), 2)) == errBoom)
	assert.True(t, retry.Strip(retry.After(inner, 1)) == inner)
}

func TestWrappersReadLikeTheErrorWithin(t *testing.T) {
	assert.NoError(t, retry.Permanent(nil))
	assert.NoError(t, retry.After(nil, time.Second))
	for _, err := range []error{retry.Permanent(errBoom), retry.After(errBoom, time.Second)} {
		assert.EqualError(t, err, "boom")
		assert.ErrorIs(t, err, errBoom)
		_, found := errors.AsType[*retry.ExhaustedError](err)
		assert.False(t, found)
	}
}

// nosy is an error whose As looks at what it is asked for.
type nosy struct{ asked []string }

func (*nosy) Error() string { return "nosy" }
func (n *nosy) As(target any) bool {
	n.asked = append(n.asked, fmt.Sprint(target))
	return false
}

func TestAnAsOfTheUserMayPrintItsTarget(t *testing.T) {
	err := &nosy{}
	s := retry.Policy{}.Schedule(0)
	_, _, ok := s.Next(err, 0, noDeadline)
	assert.True(t, ok)
	assert.Equal(t, []string{"retry: advice"}, err.asked)
}

func TestZeroScheduleIsThatOfTheZeroPolicy(t *testing.T) {
	var s retry.Schedule
	for range 2 {
		delay, _, ok := s.Next(errBoom, 0, noDeadline)
		require.True(t, ok)
		require.LessOrEqual(t, delay, 200*ms)
	}
	_, final, ok := s.Next(errBoom, 0, noDeadline)
	require.False(t, ok)
	requireExhausted(t, final, 3, errBoom)
}

func TestExhaustedErrorCountsAttempts(t *testing.T) {
	assert.EqualError(t, &retry.ExhaustedError{Attempts: 1, Err: errBoom}, "retry: gave up after 1 attempt: boom")
	assert.EqualError(t, &retry.ExhaustedError{Attempts: 3, Err: errBoom}, "retry: gave up after 3 attempts: boom")
}

func TestScheduleOfAFirstTimeSuccessAllocatesNothing(t *testing.T) {
	p := retry.Policy{Seed: 1}
	var s retry.Schedule
	assert.Zero(t, testing.AllocsPerRun(1000, func() { s = p.Schedule(7) }))
	_ = s
}
