package enginehttp_test

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/clock"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/limiter"
)

// FuzzParseRateLimit: whatever comes, there is an answer, and a field that was understood means the same when it is written again.
func FuzzParseRateLimit(f *testing.F) {
	for _, value := range []string{
		``, `"default";r=50;t=30`, `"a";r=1;t=2, "b";a=3;w=4`, `"d";r=1;pk=:cHsdsRa894==:`, `"a \"b\" \\ c";r=1;x;y=?0;z=%"%c3"`,
		`"d";r=1,`, `"d";r=-1`, `"d`, `"d";r=999999999999999;t=999999999999999`,
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		limits, err := enginehttp.ParseRateLimit(value)
		if err != nil {
			require.Empty(t, limits)
			require.True(t, strings.HasPrefix(err.Error(), "enginehttp: "), err)
			return
		}
		again := make([]string, 0, len(limits))
		for _, l := range limits {
			require.GreaterOrEqual(t, l.Remaining, int64(0))
			require.GreaterOrEqual(t, l.Reset, time.Duration(0))
			name := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(l.Policy)
			again = append(again, `"`+name+`";r=`+strconv.FormatInt(l.Remaining, 10)+`;t=`+strconv.FormatInt(int64(l.Reset/time.Second), 10))
		}
		same, err := enginehttp.ParseRateLimit(strings.Join(again, ", "))
		require.NoError(t, err)
		require.Equal(t, limits, same)
	})
}

// stopped is a clock that stands still until it is set.
type stopped struct {
	clock.Clock
	now time.Time
}

func (s *stopped) Now() time.Time { return s.now }

// FuzzRateLimitFields: what a handler writes is what was taken from the bucket.
func FuzzRateLimitFields(f *testing.F) {
	f.Add(uint64(10), uint64(600*time.Millisecond), uint8(3), uint64(0))
	f.Add(uint64(1), uint64(time.Hour), uint8(2), uint64(time.Second))
	f.Add(uint64(1)<<60, uint64(1), uint8(1), uint64(1))
	f.Fuzz(func(t *testing.T, capacity, interval uint64, requests uint8, later uint64) {
		capacity, interval = capacity%(math.MaxInt>>2)+1, interval%(1<<61)+1
		if capacity > 1<<61/interval {
			capacity = 1 << 61 / interval
		}
		now := &stopped{Clock: clock.System(), now: time.Unix(1, 0)}
		h := &enginehttp.Handler{
			Engine: guarding(t, engine.Config{
				Limiter: limiter.TokenBucket{Capacity: int(capacity), RefillRate: limiter.Per(1, time.Duration(interval))},
				MaxWait: engine.NoWait, Clock: now,
			}),
			Next: http.HandlerFunc(greet),
		}
		free := capacity * interval // in ns, as a model counts it
		for i := range uint64(requests%8) + 1 {
			if i == 2 {
				later %= 1 << 61
				now.now = now.now.Add(time.Duration(later))
				free = min(free+later, capacity*interval)
			}
			r := ask(t, h)
			refused := free < interval
			require.Equal(t, refused, r.status == http.StatusTooManyRequests)
			if !refused {
				free -= interval
			}
			limits, err := enginehttp.ParseRateLimit(r.header.Get("RateLimit"))
			require.NoError(t, err)
			require.Len(t, limits, 1)
			require.Equal(t, "default", limits[0].Policy)
			missing := interval - free%interval
			if free == capacity*interval {
				missing = 0
			}
			require.InDelta(t, missing, float64(limits[0].Reset-time.Second/2), float64(time.Second/2)+1e-9*float64(free))
			if free < 1<<53 {
				require.EqualValues(t, min(free/interval, 999_999_999_999_999), limits[0].Remaining)
			}
			if refused {
				seconds := max(1, (missing+1e9-1)/1e9)
				require.Equal(t, strconv.FormatUint(seconds, 10), r.header.Get("Retry-After"))
			}
		}
	})
}
