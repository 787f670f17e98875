package enginenet_test

import (
	"bytes"
	"errors"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
	"github.com/limitpal/limitpal-go/retry"
)

// ignoring is a configuration with every field that has no meaning for bytes.
func ignoring() engine.Config {
	return engine.Config{
		Limiter: bucket(kib, kib), Breaker: &breaker.Policy{}, Retry: &retry.Policy{},
		Classify: func(error) engine.Outcome { return engine.Failure }, Latency: true, Timeout: 1, AttemptTimeout: 1,
	}
}

// requireUnfit checks that err names fields, in their order, and nothing else.
func requireUnfit(t *testing.T, err error, fields ...string) {
	t.Helper()
	require.ErrorContains(t, err, "enginenet: ")
	_, ok := errors.AsType[*engine.ConfigError](err)
	require.True(t, ok, "%v", err)
	for _, field := range []string{"Breaker", "Retry", "Classify", "Latency", "Timeout", "AttemptTimeout"} {
		require.Equal(t, slices.Contains(strings.Fields(strings.Join(fields, " ")), field), strings.Contains(err.Error(), "engine: "+field+" = "), "%v", err)
	}
}

func TestAFieldThatHasNoMeaningForBytesIsAnErrorOfTheFirstUse(t *testing.T) {
	for name, row := range map[string]struct {
		set   func(*engine.Config)
		field string
	}{
		"Breaker":        {func(c *engine.Config) { c.Breaker = &breaker.Policy{} }, "Breaker"},
		"Retry":          {func(c *engine.Config) { c.Retry = &retry.Policy{} }, "Retry"},
		"Classify":       {func(c *engine.Config) { c.Classify = func(error) engine.Outcome { return engine.Ignore } }, "Classify"},
		"Latency":        {func(c *engine.Config) { c.Latency = true }, "Latency"},
		"Timeout":        {func(c *engine.Config) { c.Timeout = time.Second }, "Timeout"},
		"AttemptTimeout": {func(c *engine.Config) { c.AttemptTimeout = time.Second }, "AttemptTimeout"},
		"all":            {func(c *engine.Config) { *c = ignoring() }, "Breaker Retry Classify Latency Timeout AttemptTimeout"},
		"without a limiter": {func(c *engine.Config) {
			*c = ignoring()
			c.Limiter = nil
		}, "Breaker Retry Classify Latency Timeout AttemptTimeout"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := engine.Config{Limiter: bucket(kib, kib)}
			row.set(&cfg)
			bad, good := startWith(t, cfg), start(t, kib, kib)
			for _, l := range []*enginenet.Listener{{PerConn: bad}, {PerKey: bad}, {PerConn: good, PerKey: bad}, {PerConn: bad, PerKey: bad}} {
				l.Listener = make(atHand) // without connections: Accept would wait
				_, err := l.Accept()
				requireUnfit(t, err, row.field)
			}
			for _, limits := range [][]enginenet.Limit{{only(bad)}, {only(good), only(bad)}, {{Engine: bad, Key: "k", Direction: enginenet.Reads}}} {
				w := newWire(newJournal(), bytes.NewReader(pattern(kib)))
				c := enginenet.Wrap(w, limits...)
				_, err := c.Write(pattern(64))
				requireUnfit(t, err, row.field)
				_, err = c.Read(make([]byte, 64))
				requireUnfit(t, err, row.field)
				_, err = c.ReadFrom(bytes.NewReader(pattern(64)))
				requireUnfit(t, err, row.field)
				require.Zero(t, w.written.Len())
				require.NoError(t, c.Close())
			}
			require.Zero(t, bad.Stats().Keys+good.Stats().Keys)
		})
	}
}

// TestTheTableOfFieldsIsWhole: the package documentation says of every field of a Config, and of
// none that there is not, what becomes of it.
func TestTheTableOfFieldsIsWhole(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	require.NoError(t, err)
	_, section, found := strings.Cut(file.Doc.Text(), "# Fields of the engine's Config\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n# ")
	var told, fields []string
	for line := range strings.Lines(section) {
		if row, ok := strings.CutPrefix(line, "\t"); ok && !strings.HasPrefix(row, " ") {
			told = append(told, strings.Fields(row)[0])
		}
	}
	for field := range reflect.TypeFor[engine.Config]().Fields() {
		fields = append(fields, field.Name)
	}
	require.Equal(t, fields, told)
}
