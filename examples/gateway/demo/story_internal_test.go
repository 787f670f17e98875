package demo

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

const ms = time.Millisecond

// fixed is a story of the ten seconds with fixed numbers, as it stands at the given time: every 100 ms a request to each route, and
// five of the scraper to catalog, of which four get 429.
func fixed(at time.Duration) *story {
	s := &story{script: tenSeconds(), at: at, begun: make([][]time.Duration, 3), tried: []int{110, 100, 62}, triedIll: []int{0, 0, 12}}
	send := func(client, route int, c class, began, took time.Duration) {
		if began > at {
			return
		}
		s.begun[route] = append(s.begun[route], began)
		if began+took <= at {
			s.answers = append(s.answers, answer{client, route, c, began, began + took})
		}
	}
	for t := time.Duration(0); t < 10*time.Second; t += 100 * ms {
		send(0, 0, answered, t, 2*ms)
		send(1, 1, answered, t, 20*ms+t/1000)
		switch {
		case t < 2*time.Second || t >= 7500*ms:
			send(2, 2, answered, t, 5*ms)
		case t < 2300*ms:
			send(2, 2, failed, t, 400*ms)
		default:
			send(2, 2, refused, t, 300*time.Microsecond)
		}
		if t/time.Second == 1 || t/time.Second == 8 {
			send(3, 0, answered, t, 2*ms)
			for range 4 {
				send(3, 0, limited, t, ms/2)
			}
		}
	}
	for _, c := range []change{
		{2400 * ms, 2, open, 3400 * ms},
		{3410 * ms, 2, halfOpen, 0},
		{3610 * ms, 2, open, 4410 * ms},
		{7450 * ms, 2, halfOpen, 0},
		{7460 * ms, 2, closed, 0},
	} {
		if c.at <= at {
			s.changes = append(s.changes, c)
		}
	}
	if at >= 8503*ms {
		s.reformed = &reformed{8501 * ms, 8503 * ms, 3}
	}
	return s
}

// golden compares text with a file of testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	want, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
}

func TestFrame(t *testing.T) {
	golden(t, "frame.txt", fixed(4*time.Second).frame(false))
	golden(t, "frame_reformed.txt", fixed(8900*ms).frame(false))
}

func TestSummary(t *testing.T) {
	golden(t, "summary.txt", fixed(10*time.Second).summary(false))
}

func TestLine(t *testing.T) {
	require.Equal(t, ""+
		"        upstream of  breaker of  2xx of all answers in the last second\n"+
		"  time  payments     payments         catalog        orders      payments\n"+
		"  2.0s  hangs        closed          20 of 60      10 of 10      10 of 10\n"+
		"  3.0s  hangs        open            10 of 10      10 of 10       0 of 10\n",
		tenSeconds().heading()+fixed(2*time.Second).line()+fixed(3*time.Second).line())
}

// A story of any length fits a terminal: a frame with the introduction above it and the cursor below it, the summary with the
// prompt. A frame is as high at the start as at the end.
func TestWidthAndHeight(t *testing.T) {
	height := func(text string) int { return strings.Count(text, "\n") }
	frame := height(fixed(0).frame(false))
	require.Less(t, height(tenSeconds().introduction())+frame, 24)
	for at := time.Duration(0); at <= 10*time.Second; at += 100 * ms {
		s := fixed(at)
		require.Equal(t, frame, height(s.frame(false)))
		require.Less(t, height(s.summary(false)), 24)
		for _, text := range []string{s.script.introduction(), s.script.heading(), s.frame(false), s.line(), s.summary(false)} {
			for line := range strings.SplitSeq(text, "\n") {
				require.LessOrEqual(t, utf8.RuneCountInString(line), 79, line)
			}
		}
	}
}

// TestWidthUnderLoad has numbers and times of which each is as wide as it can be in ten seconds.
func TestWidthUnderLoad(t *testing.T) {
	s := fixed(10 * time.Second)
	s.tried, s.triedIll = []int{9999, 9999, 9999}, []int{0, 0, 9999}
	for i := range s.answers {
		a := &s.answers[i]
		a.ended = a.began + 8880*ms
	}
	for range 3 {
		s.answers = append(s.answers, s.answers...)
	}
	for _, text := range []string{s.frame(false), s.line(), s.summary(false)} {
		require.Less(t, strings.Count(text, "\n"), 24)
		for line := range strings.SplitSeq(text, "\n") {
			require.LessOrEqual(t, utf8.RuneCountInString(line), 79, line)
		}
	}
}

// Colour adds nothing but colour.
func TestColour(t *testing.T) {
	colours := regexp.MustCompile(`\x1b\[\d+m`)
	for _, at := range []time.Duration{2 * time.Second, 2500 * ms, 4 * time.Second, 10 * time.Second} {
		s := fixed(at)
		require.Regexp(t, colours, s.frame(true))
		require.Equal(t, s.frame(false), colours.ReplaceAllString(s.frame(true), ""))
		require.Equal(t, s.summary(false), colours.ReplaceAllString(s.summary(true), ""))
	}
	require.Equal(t, green+"──"+plain+" "+red+"xx"+plain+red+"█"+plain+yellow+"▒"+plain+yellow+"4"+plain+purple+"h5"+plain,
		ink(true).strip("── xx█▒4h5"))
}

func TestSummaryOfARunCutShort(t *testing.T) {
	for _, row := range []struct {
		name     string
		at       time.Duration
		contains string
		closes   bool
	}{
		{"at once", 0, "The run ended before the upstream of payments fell sick, at 2s.", false},
		{"before the sickness", time.Second, "The run ended before the upstream of payments fell sick, at 2s.", false},
		{"before the breaker opened", 2300 * ms, "The upstream of payments fell sick at 2s; the breaker of payments has not\nopened since.", false},
		{"in the sickness", 4 * time.Second, "opened 400ms into the sickness and refused 17 requests;\n12 reached the upstream.\n", false},
		{"before the breaker closed", 7300 * ms, "The breaker did not close.\n", false},
		{"before the change", 8400 * ms, "The run ended before the limit of catalog changed, at 8.5s.", true},
		{"the whole of it", 10 * time.Second, "The breaker closed 460ms after the recovery.", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			text := fixed(row.at).summary(false)
			require.Contains(t, text, row.contains)
			require.Equal(t, row.closes, strings.Contains(text, "breaker closed"))
		})
	}
}

func TestSummaryDoesNotHideHarm(t *testing.T) {
	s := fixed(10 * time.Second)
	for i := range s.answers {
		switch a := &s.answers[i]; {
		case a.route == 1 && a.began >= 3*time.Second && a.began < 4*time.Second:
			a.class, a.ended = failed, a.ended+40*ms
		case a.client == 0 && a.began == 5*time.Second:
			a.class = limited
		case a.client == 0 && a.began == 6*time.Second:
			a.class = refused
		}
	}
	text := s.summary(false)
	require.Contains(t, text, "catalog and orders: 1 request refused, 10 failed.")
	require.Contains(t, text, "The other clients: 1 of 300 requests.")
	require.Regexp(t, `(?m)^orders .* +22ms +64ms +30ms$`, text)
}

func TestStrip(t *testing.T) {
	s := fixed(4 * time.Second)
	require.Equal(t, "────4444────────", s.strip(0))
	require.Equal(t, "────────·████▒▒██", s.strip(2), "silence until the breaker opened")
	require.Equal(t, "────────hhhhhhrrr", s.moods())
	require.Len(t, []rune(fixed(10*time.Second).strip(2)), 40)
	require.Equal(t, "0s      2s      4s      6s      8s      10s", s.axis())
}

func TestPercentile(t *testing.T) {
	var took []time.Duration
	for i := range 100 {
		took = append(took, time.Duration((i*37)%100+1)) // 1 to 100, in disorder
	}
	require.Equal(t, time.Duration(50), percentile(took, 50))
	require.Equal(t, time.Duration(99), percentile(took, 99))
	require.Equal(t, time.Duration(38), took[1], "the order is left alone")
	require.Equal(t, time.Duration(7), percentile([]time.Duration{7}, 99))
	require.Zero(t, percentile(nil, 50))
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "-", 300 * time.Microsecond: "0.3ms", 9949 * time.Microsecond: "9.9ms", 9950 * time.Microsecond: "10ms",
		999499 * time.Microsecond: "999ms", 999500 * time.Microsecond: "1.00s",
	} {
		require.Equal(t, want, short(d))
	}
}
