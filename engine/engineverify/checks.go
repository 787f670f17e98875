package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// checks returns the rows of the table, with the volumes and bars of docs/reliability.md.
func checks() []check {
	list := append(histories(), inEngine()...)
	list = append(list, properties()...)
	list = append(list, fuzzing()...)
	list = append(list, check{
		name: "decisions of peers", dir: "bench", single: true,
		args: test("./peers/rates", "(TestEveryDifferenceHasAReason|TestTheEngineDecidesAsItsCircuit)", "-rates.traces=100000"),
		want: []bar{atLeast(500_000, "traces"), atLeast(300_000, "traces-of-the-engine"), atMost(0, "without-a-reason")},
	})
	for i := range list {
		list[i].env = append(list[i].env, seldom)
	}
	return append(list, check{
		name: "peers", dir: "bench", args: test("./peers", "TestPeers", "-peers.duration=1s", "-peers.out="+peersTable()),
		want: []bar{atLeast(1, "checks"), atMost(0, "faults-of-ours"), atLeast(0, "faults-of-peers")}, brief: true,
	})
}

// seldom has the garbage collected a quarter as often. Most checks make little but garbage, in a heap
// so small that the collector would run some hundred times a second.
const seldom = "GOGC=400"

func histories() []check {
	const (
		dir  = "engine/engineverify"
		name = "TestHistoriesAreLinearizable"
	)
	return []check{
		{
			name: "linearizability", dir: dir, args: test("./linear", name, "-linear.histories=100000"),
			want: []bar{atLeast(100_000, "histories"), atLeast(6_000_000, "operations"), atMost(0, "illegal"), atMost(0, "undecided")},
		},
		{
			name: "linearizability, -race", dir: dir, args: test("./linear", name, "-race", unwatched, "-linear.histories=50000"),
			want: []bar{atLeast(50_000, "histories"), atMost(0, "illegal"), atMost(0, "undecided")},
		},
		{
			name: "planted faults", dir: dir, args: test("./linear", "TestPlantedFaultsAreFlagged"),
			want: []bar{atLeast(32, "faults"), atLeast(32, "flagged")},
		},
		{
			name: "planted faults, simulation", dir: dir, args: test("./planted", "TestTheSimulationFindsPlantedFaults"),
			want: []bar{atLeast(12, "faults"), atLeast(12, "flagged"), atMost(2000, "most-seeds")},
		},
	}
}

// unwatched has the race detector leave the search for an order alone. The search is most of the
// work of a history, runs in one goroutine, and reads only what was recorded before.
const unwatched = "-gcflags=github.com/anishathalye/porcupine=-race=false"

func inEngine() []check {
	const pkg = "./engine"
	return []check{
		{
			name: "simulation", args: test(pkg, "TestSimulation", "-engine.simulations=10000"),
			want: []bar{atLeast(10_000, "seeds"), atLeast(1e9, "events"), atLeast(80, "simulated-years"), atMost(0, "violations")},
		},
		{
			name: "years in bubbles", args: test(pkg, "TestYearsOfOutages", "-engine.days=1827"),
			want: []bar{atLeast(5, "simulated-years"), atMost(0, "lost"), atMost(0, "doubled"), atMost(0, "excess"), atMost(0, "leaked"), atMost(0, "wedged"), atLeast(100_000, "changes")},
		},
		{
			name: "half-open", args: test(pkg, "TestNothingKeepsABreakerHalfOpen", "-engine.probes=10000"),
			want: []bar{atLeast(9, "kinds"), atLeast(180_000, "cases"), atMost(0, "wedged"), atMost(0, "probes-above-limit")},
		},
		{
			name: "chaos", args: test(pkg, "TestChaos", "-engine.calls=5000000"),
			want: []bar{
				atLeast(5_000_000, "calls"), atMost(0, "lost"), atMost(0, "doubled"), atMost(0, "excess"), atMost(0, "leaked"),
				atMost(0, "second-actors"), atMost(0, "wedged"), atLeast(100, "closes-in-flight"), atMost(0, "goroutines-left"),
			},
		},
		{
			name: "cancellations, bubble", args: test(pkg, "TestCancellationsLoseNoToken", "-engine.cancellations=1000000"),
			want: []bar{atLeast(1_000_000, "cancellations"), atMost(0, "leaked"), atMost(0, "excess")},
		},
		{
			name: "cancellations, real time", args: test(pkg, "TestAStormOfCancellationsLosesNoToken", "-engine.cancellations=1000000"),
			want: []bar{atLeast(1_000_000, "cancellations"), atMost(0, "leaked")},
		},
		{
			name: "contention", args: test(pkg, "TestContentionNeverAdmitsMoreThanTheBound", "-engine.contention=5s"),
			want: []bar{atMost(0, "excess"), atMost(1000, "permille-of-bound")},
		},
		{
			name: "both dispatches", args: test(pkg, "TestBothDispatchesGiveTheSameAnswers", "-engine.schedules=50000"),
			want: []bar{atLeast(50_000, "schedules"), atMost(0, "differences")},
		},
		{
			name: "fixed windows", args: test(pkg, "TestWindowsEqualTheNaiveModel", "-engine.windows=200000"),
			want: []bar{atLeast(1_000_000, "admitted")},
		},
		{
			name: "what is seen",
			args: test(pkg, "(TestExplainForeseesTheNextCall|TestStatsCountEveryDecisionAndEveryEndOnce|TestReadersOfEventsUnderLoad)",
				"-engine.explained=10000", "-engine.counted=50000", "-engine.transitions=100000"),
			want: []bar{atLeast(20_000, "explained"), atLeast(100_000, "counted"), atLeast(200_000, "transitions")},
		},
	}
}

// properties returns the tests of random cases, with the same number of cases for each.
func properties() (list []check) {
	for _, p := range []struct {
		pkg   string
		tests []string
	}{
		{"limiter", []string{"TestBucketEqualsTheOracle", "TestForgettingABucketThatIsFullIsUnobservable", "TestAFixedWindowEqualsTheNaiveModel"}},
		{"breaker", []string{
			"TestCircuitEqualsTheNaiveModel", "TestRatesEqualTheNaiveModel", "TestLazyEqualsEager", "TestForgettingACleanCircuitIsUnobservable", "TestAReopenedCircuitIsAtLeastAsStrict",
		}},
		{"retry", []string{"TestR6DelayBoundsHoldForRandomPolicies"}},
		{"engine/internal/guard", []string{
			"TestForgettingAKeyThatMayRetireIsUnobservable", "TestNothingIsGainedByASpill", "TestATableIsTheLeastOfTheLatest",
			"TestTheSketchDominatesWhateverIsDone",
		}},
	} {
		const each = 200_000
		list = append(list, check{
			name: "properties of " + path.Base(p.pkg),
			args: test("./"+p.pkg, "("+strings.Join(p.tests, "|")+")", fmt.Sprintf("-%s.cases=%d", path.Base(p.pkg), each)),
			want: []bar{atLeast(float64(each*len(p.tests)), "cases")}, single: true,
		})
	}
	return list
}

func fuzzing() (list []check) {
	for _, f := range []struct {
		pkg, target string
		meet        bool // whether the goroutines of an input meet, and should do so on several processors
	}{
		{"limiter", "FuzzBucket", false}, {"limiter", "FuzzCompile", false}, {"breaker", "FuzzCircuit", false}, {"breaker", "FuzzRates", false},
		{"retry", "FuzzSchedule", false}, {"engine", "FuzzConfig", false}, {"engine", "FuzzMessages", true},
	} {
		c := check{
			name: "fuzz " + f.target,
			args: []string{
				"./" + f.pkg, "-run", "^$", "-fuzz", "^" + f.target + "$", "-fuzztime=1500000x", "-timeout=30m",
				"-toolexec", guided(), fmt.Sprint("-p=", runtime.GOMAXPROCS(0)),
				fmt.Sprint("-parallel=", 2*runtime.GOMAXPROCS(0)), // a worker sometimes waits for its next inputs
			},
			want: []bar{atLeast(1_500_000, "executions")},
		}
		if !f.meet {
			c.env = []string{"GOMAXPROCS=1"} // of each worker
		}
		list = append(list, c)
	}
	return list
}

// soakFor returns the soak of length d.
func soakFor(d time.Duration) check {
	return check{
		name: "soak", args: test("./engine", "TestSoak", "-v", "-engine.soak="+d.String()),
		want: []bar{atLeast(d.Minutes(), "minutes"), atMost(10, "permille-of-heap-per-minute"), atMost(0, "goroutines-left")},
	}
}

// test returns the arguments of go test for one test of pkg.
func test(pkg, name string, flags ...string) []string {
	return append([]string{pkg, "-run", "^" + name + "$", "-count=1", "-timeout=30m"}, flags...)
}

// folder returns the folder of c's package in its module.
func (c check) folder() string { return strings.TrimPrefix(c.args[0], "./") }

// tests returns the names of the tests or of the fuzz target of c.
func (c check) tests() []string {
	for i, arg := range c.args {
		if arg == "-fuzz" || arg == "-run" && c.args[i+1] != "^$" {
			return strings.Split(strings.Trim(c.args[i+1], "^($)"), "|")
		}
	}
	return nil
}

// peersTable returns the file into which the check of the peers writes its table.
func peersTable() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("engineverify-peers-%d.md", os.Getpid()))
}
