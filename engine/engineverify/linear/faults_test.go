package linear_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// fault is a mistake that the engine makes if it is built with the tag planted and the environment
// names the fault, and where the check has to see it.
type fault struct {
	name      string
	settings  string // a regular expression of subtests
	sign      string // of the check's output
	histories int    // of each subtest that suffice, many times over
}

const (
	illegal = "no order explains what was seen"
	lost    = "calls do not return"
)

var faults = []fault{
	{"a refusal on a stale reading", "(bucket|leaky)/published", illegal, 2_000},
	{"a sketch that forgets", "spill.*", illegal, 2_000},
	{"more probes than are needed", "(breaker|breaker-and-limiter|queue-and-breaker)/", illegal, 2_000},
	{"an open breaker that closes without a probe", "strict-breaker/", illegal, 4_000},
	{"a spilled breaker that recovered and is open again", "spill-and-breaker", illegal, 4_000},
	{"an actor that leaves its messages behind", "(bucket|eviction)", lost, 2_000},
	{"a debit that is lost", "(bucket|leaky)/published", illegal, 2_000},
	{"a late refund", "breaker-and-limiter", illegal, 2_000},
	{"a key that is forgotten whatever it owes", "eviction", illegal, 2_000},
	{"a reset in the midst of a birth", "spill.*", illegal, 20_000},
	{"a plain refund", "chain", illegal, 4_000},
	{"an undo while the own full-at lies in the future", "chain", illegal, 4_000},
	{"a token given back twice", "chain", illegal, 4_000},
	{"a debit undone across a Reset", "chain", illegal, 8_000},
	{"a wide key taken although a narrow one is known to refuse", "chain", illegal, 4_000},
	{"a probe held by a waiter", "chain-and-queues", illegal, 2_000},
	{"a plain refund", "queue-and-breaker", illegal, 4_000},
	{"a token given back twice", "queue-and-breaker", illegal, 4_000},
	{"a policy that changes and leaves full-at as it was", "changes", illegal, 4_000},
	{"a key evicted and born with more than it had", "changes-and-eviction", illegal, 8_000},
	{"a success counted twice", "rate-(of-calls|of-time|and-eviction)/", illegal, 1_000},
	{"a success of an earlier period", "rate-(of-calls|and-changes)/published", illegal, 4_000},
	{"a rate of too few calls", "rate-(of-calls|and-composite)/", illegal, 1_000},
	{"a failure that stays in the window", "rate-of-(calls|time)/", illegal, 1_000},
	{"a slow probe that counts as well", "rate-of-slow-(calls|time)/", illegal, 1_000},
	{"a success that leaves the failures in a row", "rate-(of-time|and-limiter|and-eviction)/published", illegal, 2_000},
	{"a forced state that outlives its time", "forced", illegal, 1_000},
	{"a forced state that ends without a new period", "forced-(breaker|spill|rates)/", illegal, 2_000},
	{"a forced breaker that counts", "forced-(breaker|spill)/", illegal, 2_000},
	{"a forced key that is spilled", "forced-spill", illegal, 4_000},
	{"waiters left in the queue of a breaker opened by hand", "forced-queue", illegal, 1_000},
	{"a place beyond the bound", "places/mailbox", illegal, 1_000},
	{"a key that is forgotten with calls in flight", "places-and-eviction", illegal, 4_000},
	{"a Reset that leaves the window to readings of the one before", "window(-and-breaker)?/published", illegal, 8_000},
	{"a token with the permit of an earlier period", "breaker-and-limiter/published", illegal, 60_000},
}

// recorded matches how many histories of the settings of a fault were checked.
var recorded = regexp.MustCompile(`TestHistoriesAreLinearizable histories (\d+)`)

// TestPlantedFaultsAreFlagged builds the check once with the tag planted, runs it with each fault
// in turn, and requires that it fails.
func TestPlantedFaultsAreFlagged(t *testing.T) {
	planted := faults
	if testing.Short() {
		planted = planted[:2]
	}
	binary := filepath.Join(t.TempDir(), "linear.test")
	out, err := exec.Command("go", "test", "-tags", "planted", "-c", "-o", binary, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	flagged := 0
	for _, f := range planted {
		if t.Run(f.name, func(t *testing.T) { f.plant(t, binary) }) {
			flagged++
		}
	}
	t.Attr("faults", fmt.Sprint(len(planted)))
	t.Attr("flagged", fmt.Sprint(flagged))
}

// plant runs the check on an engine with the fault.
func (f fault) plant(t *testing.T, binary string) {
	began := time.Now()
	check := exec.Command(binary, "-test.count=1", "-test.v", "-test.failfast", "-test.timeout=5m",
		"-test.run", "^TestHistoriesAreLinearizable$/"+f.settings,
		"-linear.histories", fmt.Sprint(2*len(settings())*f.histories), "-linear.patience", "2s")
	check.Env = append(os.Environ(), "LIMITPAL_FAULT="+f.name)
	out, err := check.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte(f.sign)) {
		t.Fatalf("not flagged (%v):\n%s", err, out)
	}
	took := "the first" // calls that do not return end the check of their setting
	if n := recorded.FindSubmatch(out); n != nil && string(n[1]) != "0" {
		took = string(n[1])
	}
	t.Logf("flagged within %s histories, %v", took, time.Since(began).Round(100*time.Millisecond))
}
