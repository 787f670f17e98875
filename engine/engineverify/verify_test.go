package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stream is what `go test -json` prints, shortened.
const stream = `{"Action":"start","Package":"p"}
{"Action":"run","Test":"TestA"}
{"Action":"output","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"attr","Test":"TestA","Key":"histories","Value":"100000"}
{"Action":"attr","Test":"TestA","Key":"illegal","Value":"0"}
{"Action":"output","Test":"TestA","Output":"    a_test.go:1: half way\n"}
{"Action":"pass","Test":"TestA","Elapsed":1}
`

func parsed(t *testing.T, text string) *parser {
	t.Helper()
	p := new(parser)
	p.read(strings.NewReader(text), func() {})
	return p
}

func TestFiguresAreReadOffATestRun(t *testing.T) {
	p := parsed(t, stream)
	require.Empty(t, p.faults)
	require.Equal(t, []figure{{"histories", 100_000}, {"illegal", 0}}, p.figures)
	require.Equal(t, "  a_test.go:1: half way", p.far())
}

func TestFiguresOfOneNameAreAddedUp(t *testing.T) {
	line := `{"Action":"attr","Key":"cases","Value":"200"}` + "\n"
	require.Equal(t, []figure{{"cases", 400}}, parsed(t, line+line).figures)
}

func TestExecutionsAreReadOffAFuzzRun(t *testing.T) {
	p := parsed(t, `{"Action":"output","Output":"fuzz: elapsed: 3s, execs: 999 (333/sec), new interesting: 0 (total: 1)\n"}
{"Action":"output","Output":"fuzz: elapsed: 5s, execs: 1500000 (333/sec), new interesting: 0 (total: 1)\n"}
`)
	require.Equal(t, []figure{{"executions", 1_500_000}}, p.figures)
}

func TestWhatCannotBeReadIsAFault(t *testing.T) {
	for text, want := range map[string]string{
		`{"Action":"attr","Test":"T","Key":"lost","Value":"none"}`: "no number",
		`not JSON`: "the output of go test",
	} {
		p := parsed(t, text)
		require.Len(t, p.faults, 1, text)
		require.Contains(t, p.faults[0], want)
	}
}

func TestABarIsMissedByTooLittleTooMuchAndNothing(t *testing.T) {
	c := check{want: []bar{atLeast(10, "histories"), atMost(0, "illegal")}}
	require.Empty(t, c.judge([]figure{{"histories", 10}, {"illegal", 0}}))
	require.Equal(t, []string{"9 histories: at least 10"}, c.judge([]figure{{"histories", 9}, {"illegal", 0}}))
	require.Equal(t, []string{"1 illegal: at most 0"}, c.judge([]figure{{"histories", 11}, {"illegal", 1}}))
	require.Equal(t, []string{"no figure histories", "no figure illegal"}, c.judge(nil))
}

// TestARunThatFailsIsAFault runs go test where there is nothing to run.
func TestARunThatFailsIsAFault(t *testing.T) {
	r := check{name: "none", dir: ".", args: []string{"./nowhere"}}.run(t.Context(), func(string) {})
	require.Len(t, r.faults, 1)
	require.Equal(t, []string{"none"}, table{results: []result{r, {check: "fine"}}}.failed())
}

func TestACheckHasItsEnvironment(t *testing.T) {
	r := check{name: "none", dir: ".", args: []string{"."}, env: []string{"GOFLAGS=-unknown"}}.run(t.Context(), func(string) {})
	require.Len(t, r.faults, 1)
	require.Contains(t, r.faults[0], "GOFLAGS")
}

// TestResultsAreInTheOrderOfTheChecks although some checks end before others.
func TestResultsAreInTheOrderOfTheChecks(t *testing.T) {
	list := []check{{name: "a", single: true}, {name: "b", single: true}, {name: "c"}, {name: "d", single: true}}
	for i := range list {
		list[i].dir, list[i].args = ".", []string{"./nowhere"}
	}
	var names []string
	for _, r := range runAll(t.Context(), list, t.Output()) {
		names = append(names, r.check)
	}
	require.Equal(t, []string{"a", "b", "c", "d"}, names)
}

func TestNumbersAreWrittenForPeople(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 6_012_345: "6,012,345", -1234: "-1,234", 80.127: "80.13", 1234.5: "1,234.50"} {
		require.Equal(t, want, number(v))
	}
}

func TestASectionOfTheDocumentIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reliability.md")
	require.NoError(t, os.WriteFile(path, []byte("before\n<!-- checks: begin -->\nold\n<!-- checks: end -->\nafter\n"), 0o600))
	one := table{results: []result{{check: "one", figures: []figure{{"simulated-years", 80}}, took: time.Second}}, circumstances: "today"}
	require.NoError(t, writeSection(path, "checks", one.markdown()))
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "before\n<!-- checks: begin -->\n"+one.markdown()+"<!-- checks: end -->\nafter\n", string(got))
	require.Contains(t, one.markdown(), "| one | ok | 1s | 80 simulated years |")
	require.ErrorContains(t, writeSection(path, "soak", ""), "no mark")
}

// TestEveryCheckNamesATestThatExists: go test passes when -run matches nothing, and then a figure is missing; this finds it at once.
func TestEveryCheckNamesATestThatExists(t *testing.T) {
	sources := map[string]string{}
	for _, c := range append(checks(), soakFor(time.Minute)) {
		folder := filepath.Join("..", "..", c.dir, c.folder())
		if sources[folder] == "" {
			files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
			require.NoError(t, err)
			require.NotEmpty(t, files, "%s: no tests in %s", c.name, folder)
			for _, file := range files {
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				sources[folder] += string(text)
			}
		}
		require.NotEmpty(t, c.tests(), c.name)
		for _, name := range c.tests() {
			require.True(t, strings.Contains(sources[folder], "\nfunc "+name+"("), "%s: no %s in %s", c.name, name, folder)
		}
		require.NotEmpty(t, c.want, c.name)
	}
}

func TestOnlyOurPackagesAreCounted(t *testing.T) {
	for pkg, counted := range map[string]bool{
		"net/http": false, "github.com/stretchr/testify/assert": false, "github.com/limitpal/limitpal-go/limiter": true,
		"github.com/limitpal/limitpal-go/limiter_test": true,
	} {
		args := []string{"-o", "x.a", "-p", pkg, "-std", "-d=libfuzzer", "-c=2", "x.go"}
		if got := withoutCounters(args); counted {
			require.Equal(t, args, got, pkg)
		} else {
			require.Equal(t, []string{"-o", "x.a", "-p", pkg, "-std", "-c=2", "x.go"}, got, pkg)
		}
	}
	require.Equal(t, []string{"-V=full"}, withoutCounters([]string{"-V=full"}))
}
