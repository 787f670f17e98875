package record_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/bench/record"
)

var mutex = record.Row{Study: "Calls", Workload: "pipeline", Keys: "1k", PerCore: 32, Contender: "per-key-mutex", Cores: 2}

func TestWhatIsWrittenIsRead(t *testing.T) {
	var text bytes.Buffer
	w, err := record.NewWriter(&text, []record.Setting{{Key: "goos", Value: "linux"}, {Key: "mode", Value: "quick"}})
	require.NoError(t, err)
	waiting := record.Row{Study: "Waiting", Contender: "x-time-rate", Cores: 1}
	for _, ns := range []float64{100, 90, 1000, 110.5} {
		require.NoError(t, w.Write(record.Sample{Row: mutex, N: 5, Values: []record.Value{{Amount: ns, Unit: record.PerCall}, {Amount: 0, Unit: record.Allocs}}}))
	}
	require.NoError(t, w.Write(record.Sample{Row: waiting, N: 1, Values: []record.Value{{Amount: 2e6, Unit: record.LateP99}}}))

	require.Contains(t, text.String(), "BenchmarkCalls/workload=pipeline/keys=1k/percore=32/contender=per-key-mutex-2 5 100 ns/op 0 allocs/op")
	r, err := record.Read(&text, "raw.txt")
	require.NoError(t, err)
	require.Equal(t, "quick", r.Setting("mode"))
	require.Empty(t, r.Setting("cpu"))
	require.Equal(t, []record.Row{mutex, waiting}, r.Rows(record.Row{}))
	require.Equal(t, []record.Row{waiting}, r.Rows(record.Row{Study: "Waiting"}))
	require.Equal(t, []record.Unit{record.Allocs, record.PerCall}, r.Units(mutex))
	require.Equal(t, []float64{100, 90, 1000, 110.5}, r.Amounts(mutex, record.PerCall))
	require.Equal(t, []float64{2e6}, r.Amounts(waiting, record.LateP99))

	s, ok := r.Summary(mutex, record.PerCall)
	require.True(t, ok)
	require.Equal(t, 105.25, s.Median)
	require.Equal(t, 4, s.Samples)
	require.Equal(t, 97.5, s.Low)
	require.Equal(t, 332.875, s.High)
	_, ok = r.Summary(mutex, record.Goodput)
	require.False(t, ok)
}

func TestReadRefusesWhatIsNoRecord(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "no samples",
		"goos: linux\nPASS\n":                    "no samples",
		"BenchmarkCalls/contender=x 1 5 ns/op\n": "number of cores",
		"BenchmarkCalls/colour=red/contender=x-2 1 5 ns/op\n":   `unknown part "colour=red"`,
		"BenchmarkCalls/percore=many/contender=x-2 1 5 ns/op\n": "percore=many",
		"BenchmarkCalls/contender=x-2 1 five ns/op\n":           "parsing measurement",
	} {
		_, err := record.Read(strings.NewReader(text), "raw.txt")
		require.ErrorContains(t, err, want, text)
	}
}
