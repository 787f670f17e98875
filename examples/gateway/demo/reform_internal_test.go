package demo

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/examples/internal/pipes"
)

var clients = []string{"web", "mobile", "partner", "scraper"}

// drain takes all tokens of all clients.
func drain(limit *engine.Engine) {
	for _, name := range clients {
		for limit.Allow(name) {
		}
	}
}

// The ways in which a gateway can follow a change: the right one, and two that tell the tests apart.
func keep(limit *engine.Engine, next engine.Config) error { return limit.Reconfigure(next) }

func refill(limit *engine.Engine, next engine.Config) error {
	for _, name := range clients {
		limit.Reset(name)
	}
	return limit.Reconfigure(next)
}

func empty(limit *engine.Engine, next engine.Config) error {
	drain(limit)
	return limit.Reconfigure(next)
}

// TestReformHarmsNobodyAndGivesNothing: the summary shows no harm and no gain of a change that keeps
// the tokens of the clients. A change that fills the buckets shows as a gain, and a change that
// empties the buckets as harm.
func TestReformHarmsNobodyAndGivesNothing(t *testing.T) {
	for _, row := range []struct {
		name   string
		reload func(*engine.Engine, engine.Config) error
		harm   bool
		gain   bool
	}{
		{"keeps the tokens", keep, false, false},
		{"fills the buckets", refill, false, true},
		{"empties the buckets", empty, true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out bytes.Buffer
			perform(t, tenSeconds(), &fake{reload: row.reload}, newScreen(&out, func() int { return 0 }), time.Hour)
			text := out.String()
			told := regexp.MustCompile(`At\s8\.5s\sa\snew\sfile\sset\s40/s\sfor\scatalog,\swith\s[1-9]\d*\srequests?\sunder\sway\.\sSince\sthen\s` +
				`(\d+)\sof\s(\d+)\srequests\sof\sthe\sother\sclients\swere\srefused,\s0\sfailed\.\n` +
				`scraper, 8s to 9s: (\d+) passed; bound: burst 20 \+ 50\*0\.5\d\ds \+ 40\*0\.[45]\d\ds = (\d+\.\d)\.\n$`).FindStringSubmatch(text)
			require.NotNil(t, told, text)
			harmed, _ := strconv.Atoi(told[1])
			others, _ := strconv.Atoi(told[2])
			passed, _ := strconv.ParseFloat(told[3], 64)
			bound, _ := strconv.ParseFloat(told[4], 64)
			require.Equal(t, row.harm, harmed > 0, text)
			require.Greater(t, others, 300)
			require.Equal(t, row.gain, passed > bound, text)
			if !row.harm {
				require.Greater(t, passed, bound-2, "the bound is as low as can be:\n%s", text)
			}
		})
	}
}

func TestFrameShowsHarmAndGain(t *testing.T) {
	s := fixed(9 * time.Second)
	require.Contains(t, s.frame(true), "Others refused or failed: "+green+"0"+plain+".")
	require.Contains(t, s.frame(true), "scraper: "+green+"10"+plain+" requests passed from 8s on; the limits allow 61.")
	for range 60 {
		s.answers = append(s.answers, answer{3, 0, answered, 8600 * ms, 8700 * ms})
	}
	s.answers = append(s.answers,
		answer{0, 0, limited, 8400 * ms, 8501 * ms}, answer{1, 1, refused, 8600 * ms, 8700 * ms}, answer{2, 2, failed, 8600 * ms, 8700 * ms},
		answer{0, 0, limited, 8400 * ms, 8500 * ms}) // the last one was answered before the change
	require.Contains(t, s.frame(true), "Others refused or failed: "+red+"3"+plain+".")
	require.Contains(t, s.frame(true), "scraper: "+red+"70"+plain+" requests passed from 8s on; the limits allow 61.")
}

// The bound counts the greater rate while the change was being made, and stands for an early frame,
// too.
func TestShare(t *testing.T) {
	for _, row := range []struct {
		name     string
		rate     int
		answers  []answer
		passed   int
		old, new time.Duration
		bound    float64
	}{
		{"nothing was sent", 40, nil, 0, 0, 0, 20},
		{"nothing was answered since", 40, []answer{{3, 0, answered, 8100 * ms, 8200 * ms}}, 1, 100 * ms, 0, 25},
		{"a lower rate", 40, []answer{{3, 0, limited, 8100 * ms, 8110 * ms}, {3, 0, failed, 8800 * ms, 8900 * ms}}, 1, 500 * ms, 300 * ms, 57},
		{"a higher rate", 100, []answer{{3, 0, answered, 8100 * ms, 8110 * ms}, {3, 0, limited, 8800 * ms, 8900 * ms}}, 1, 400 * ms, 400 * ms, 80},
		{"of others, and of other waves", 40, []answer{
			{2, 0, answered, 8100 * ms, 8110 * ms}, {3, 1, answered, 8100 * ms, 8110 * ms},
			{3, 0, answered, 7999 * ms, 8001 * ms}, {3, 0, answered, 9000 * ms, 9001 * ms},
		}, 0, 0, 0, 20},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &story{script: tenSeconds(), at: 10 * time.Second, answers: row.answers, reformed: &reformed{8500 * ms, 8600 * ms, 1}}
			s.script.reform.rate = row.rate
			h := s.share()
			require.Equal(t, share{row.old, row.new, row.passed, h.bound}, h)
			require.InDelta(t, row.bound, h.bound, 1e-9)
		})
	}
}

func TestReformFails(t *testing.T) {
	wrong := errors.New("no such field")
	synctest.Test(t, func(t *testing.T) {
		n := new(pipes.Network)
		f := &fake{network: n, reload: func(*engine.Engine, engine.Config) error { return wrong }}
		var out bytes.Buffer
		began := time.Now()
		err := tenSeconds().play(context.Background(), n, newScreen(&out, func() int { return 0 }), f.serve)
		require.ErrorIs(t, err, wrong)
		require.ErrorContains(t, err, "changing a limit of the gateway: no such field")
		require.Less(t, time.Since(began), 9*time.Second)
		require.EqualValues(t, 1, f.closed.Load())
		require.NotContains(t, out.String(), "route      answers", "no summary")
	})
}
