package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newFake() *fake { return &fake{recovery: 100 * ms, timeout: 600 * ms} }

// watched starts f, and calls look with what each Status returns.
func watched(f *fake, look func([]Route)) func([]byte) (*Gateway, error) {
	return func(config []byte) (*Gateway, error) {
		gateway, err := f.serve(config)
		if err != nil {
			return nil, err
		}
		status := gateway.Status
		gateway.Status = func() []Route {
			routes := status()
			look(routes)
			return routes
		}
		return gateway, nil
	}
}

// onPaper is a screen that is no terminal.
func onPaper(out *bytes.Buffer) *screen {
	return &screen{out: out, interval: 200 * ms, height: func() int { return 0 }}
}

// rowsOf reads the numbers of the summary's table, by route.
func rowsOf(t *testing.T, text string) map[string][]int {
	t.Helper()
	rows := map[string][]int{}
	for _, row := range regexp.MustCompile(`(?m)^(\w+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +\S+ +\S+ +(\d+)$`).FindAllStringSubmatch(text, -1) {
		for _, cell := range row[2:] {
			n, err := strconv.Atoi(cell)
			require.NoError(t, err)
			rows[row[1]] = append(rows[row[1]], n)
		}
	}
	require.Len(t, rows, 3, text)
	return rows
}

// The whole demo in real time, since real sockets know no other. It ends when payments has been
// let back in and the greedy client has met its limit, however long that takes.
func TestPlay(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var out bytes.Buffer
	f := newFake()
	opened := false
	require.NoError(t, shortScript().play(ctx, onPaper(&out), watched(f, func(routes []Route) {
		if routes[2].Breaker != closed {
			opened = true
		} else if opened && routes[0].Limited > 0 {
			end()
		}
	})))
	text := out.String()
	require.EqualValues(t, 1, f.closed.Load())

	rows := rowsOf(t, text)
	for name, r := range rows {
		require.Positive(t, r[1], "answered of %s:\n%s", name, text)
		require.Equal(t, r[0], r[1]+r[2]+r[3]+r[4], "%s:\n%s", name, text)
		require.GreaterOrEqual(t, r[5], r[1], "what reached the upstream of %s:\n%s", name, text)
	}
	sum := func(column int) int {
		return rows["catalog"][column] + rows["orders"][column] + rows["payments"][column]
	}
	var requests, limited, unavailable, failed int
	_, counted, _ := strings.Cut(text, "The gateway itself counted ")
	_, err := fmt.Sscanf(counted, "%d requests: %d limited, %d unavailable, %d failed.", &requests, &limited, &unavailable, &failed)
	require.NoError(t, err, text)
	require.GreaterOrEqual(t, requests, sum(0), "warming up is not counted, what is under way is:\n%s", text)
	require.Less(t, requests, sum(0)+10, text)
	require.GreaterOrEqual(t, limited, sum(2), text)
	require.GreaterOrEqual(t, unavailable+failed, sum(3)+sum(4), text)
	require.Positive(t, unavailable, text)

	require.Positive(t, rows["catalog"][2], "the greedy client:\n%s", text)
	require.Zero(t, rows["orders"][2], "nobody is greedy there:\n%s", text)
	require.Zero(t, rows["catalog"][3]+rows["orders"][3], "breakers of the healthy routes:\n%s", text)
	require.Positive(t, rows["payments"][3], "breaker of the sick route:\n%s", text)

	require.Regexp(t, `(?m)^payments was let back in \d+ms after its upstream was well again\.$`, text)
	require.Regexp(t, `(?m)^payments .*[█▒]`, text)
	require.Contains(t, text, "its breaker opened")
	require.Contains(t, text, "catalog and orders: 0 of their requests")
	require.NotContains(t, text, "\x1b", "control sequences without a terminal")
	require.NotContains(t, text, "\r")
	require.GreaterOrEqual(t, strings.Count(text, "; upstream "), 2, "a plain line per interval:\n%s", text)
}

func TestPlayOnATerminal(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, live: true, interval: 20 * ms, height: func() int { return 24 }}
	script := shortScript()
	script.length = 300 * ms
	script.cell = script.length / 40
	require.NoError(t, script.play(t.Context(), s, newFake().serve))
	blocks := strings.Split(out.String(), hideCursor)
	last := blocks[len(blocks)-1]
	require.Greater(t, len(blocks), 1)
	require.Regexp(t, `^LimitPal gateway: [^\x1b]+$`, blocks[0])
	_, summary, found := strings.Cut(last, showCursor+"\r"+strings.Repeat("\x1b[A", strings.Count(last, clearLine))+clearBelow)
	require.True(t, found, "the block is erased: %q", last)
	require.True(t, strings.HasPrefix(summary, "route "), summary)
	require.NotContains(t, summary, "\x1b")
}

// Stopped in the middle, the demo still closes everything and says what it has seen.
func TestPlayInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := newFake()
	script := shortScript()
	script.acts = []act{{5 * time.Second, hanging}, {6 * time.Second, well}}
	looks := 0
	var out bytes.Buffer
	require.NoError(t, script.play(ctx, onPaper(&out), watched(f, func([]Route) {
		if looks++; looks == 40 { // that is after 200 ms
			cancel()
		}
	})))
	require.EqualValues(t, 1, f.closed.Load())
	require.Positive(t, rowsOf(t, out.String())["orders"][1])
	require.Contains(t, out.String(), "It ended before payments fell sick, at 5s.")
}

func TestPlayInterruptedBeforeItBegan(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	f := newFake()
	require.NoError(t, shortScript().play(ctx, onPaper(&out), func(config []byte) (*Gateway, error) {
		cancel()
		return f.serve(config)
	}))
	require.EqualValues(t, 1, f.closed.Load())
	require.Empty(t, out.String())
}

func TestRunTellsWhyTheGatewayDidNotStart(t *testing.T) {
	wrong := errors.New("port in use")
	err := Run(t.Context(), os.Stderr, func([]byte) (*Gateway, error) { return nil, wrong })
	require.ErrorIs(t, err, wrong)
	require.ErrorContains(t, err, "starting the gateway: port in use")
}

func TestRunTellsThatTheGatewayDoesNotServe(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	wrong := errors.New("still busy")
	err := Run(t.Context(), os.Stderr, func([]byte) (*Gateway, error) {
		return &Gateway{URL: server.URL, Close: func(context.Context) error { return wrong }}, nil
	})
	require.Regexp(t, "^the gateway does not serve /[a-z]+/: it answers 404 Not Found\nclosing the gateway: still busy$", err.Error())
	require.ErrorIs(t, err, wrong)
}

func TestConfig(t *testing.T) {
	require.True(t, json.Valid([]byte(template)), "also before the addresses are filled in")
	ups, err := openUpstreams(tenSeconds())
	require.NoError(t, err)
	defer func() { require.NoError(t, ups.close()) }()

	var c file
	decoder := json.NewDecoder(bytes.NewReader(ups.config()))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&c))
	require.Equal(t, "127.0.0.1:0", c.Listen)
	require.Equal(t, "off", c.Log, "an access log would be written over the view")
	require.Equal(t, map[string]string{"rate": "1MiB/s", "burst": "64KiB"}, c.Connection)
	require.Len(t, c.Routes, len(ups.servers))
	for i, r := range c.Routes {
		u := ups.servers[i]
		require.Equal(t, u.route.name, r.Name)
		require.Equal(t, "/"+r.Name+"/", r.Path)
		require.Equal(t, "http://"+u.address, r.Upstream)
		require.Equal(t, "X-API-Key", r.Key["header"])
	}
}

func TestScript(t *testing.T) {
	s := tenSeconds()
	for at, want := range map[time.Duration]mood{
		0: well, 2*time.Second - 1: well, 2 * time.Second: hanging, 3500 * ms: resetting, 5 * time.Second: unavailable,
		7*time.Second - 1: unavailable, 7 * time.Second: well, time.Hour: well,
	} {
		require.Equal(t, want, s.mood(at), at)
	}
	require.Equal(t, 2, s.patient())
	require.LessOrEqual(t, utf8.RuneCountInString(s.routes[2].name)+2, margin)
}
