package planted_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// faults has the names of the faults, by the part of the code in which each is planted.
var faults = []struct{ part, name string }{
	{"gate", "a refusal on a stale reading"},
	{"gate", "a debit that is lost"},
	{"queue", "a wait counted for a waiter behind"},
	{"queue", "a breaker that is not asked at the grant"},
	{"queue", "a waiter that has left and stands in the way"},
	{"queue", "a row that is served twice in a round"},
	{"queue", "a row that waits for its turn in vain"},
	{"receipt", "a plain refund"},
	{"receipt", "an undo while the own full-at lies in the future"},
	{"receipt", "a debit undone across a Reset"},
	{"receipt", "a token given back twice"},
	{"chain", "a wide key taken although a narrow one is known to refuse"},
	{"chain", "a probe held by a waiter"},
	{"behavior", "a gate that is owned too late"},
	{"behavior", "a late refund"},
	{"evict", "a key that is forgotten whatever it owes"},
	{"evict", "a breaker that a spill closes"},
	{"evict", "a sketch that forgets"},
	{"evict", "a spilled breaker that recovered and is open again"},
	{"force", "a force that begins no new period"},
	{"force", "a forced breaker that counts"},
	{"force", "a forced key that is spilled"},
	{"force", "waiters left in the queue of a breaker opened by hand"},
	{"change", "a policy that changes and leaves full-at as it was"},
	{"change", "a change that raises the tokens"},
	{"change", "a key evicted and born with more than it had"},
	{"change", "a spilled key that a change makes as new"},
	{"change", "a waiter left with the old time"},
	{"change", "an old policy's debit after the conversion"},
	{"change", "a debit undone across a change"},
	{"events", "a half-open breaker that is no event"},
	{"events", "a key that goes with its breaker open, and is no event"},
	{"actor", "a turn that panicked and is not undone"},
	{"actor", "a timer that is not set anew"},
	{"registry", "an actor that leaves its messages behind"},
	{"registry", "a key that is born before its predecessor has gone"},
	{"registry", "a parked state that is forgotten before its time"},
	{"breaker", "more probes than are needed"},
	{"breaker", "an open breaker that closes without a probe"},
	{"breaker", "a tolerated failure that opens the breaker"},
	{"breaker", "a recovery after which the open time starts over"},
	{"breaker", "an open time above MaxRecovery"},
	{"evict", "a spill that forgets the growth"},
	{"rates", "a success counted twice"},
	{"rates", "a rate of too few calls"},
	{"rates", "an admission that begins no slice"},
	{"rates", "a permit that begins no slice"},
	{"rates", "a success that ends no row"},
	{"rates", "a tally that survives a Reset"},
	{"rates", "a tally dropped before its time"},
	{"rates", "slow calls forgotten with their key"},
	{"change", "a window that a change revives"},
	{"change", "a report of a slow call that is not answered"},
	{"places", "a place that a call keeps whose function does not return"},
	{"places", "a place that a late Done keeps"},
	{"places", "a place that a call keeps which is not made"},
	{"places", "a place that a cancelled waiter keeps"},
	{"places", "a place that a grant keeps which panics"},
	{"places", "a place that a lost ticket keeps"},
	{"places", "a place beyond the bound"},
	{"places", "a key that is forgotten with calls in flight"},
	{"places", "a queue that is not served after the last leaver"},
	{"places", "a line that goes on where it ended"},
	{"charge", "a charge that is lost"},
	{"charge", "a charge that those who wait do not hear of"},
	{"charge", "a cost that is one token at a gate"},
	{"shadow", "a refusal in shadow"},
	{"shadow", "tokens of a call that shadow lets pass"},
}

// most is how many seeds a fault may take.
const most = 2000

var (
	seeds      = regexp.MustCompile(`TestSimulation seeds (\d+)`)
	violations = regexp.MustCompile(`TestSimulation violations [1-9]`)
	still      = regexp.MustCompile(`a simulation stands still|everyone waits for someone|blocked in the midst`)
)

func TestTheSimulationFindsPlantedFaults(t *testing.T) {
	planted := faults
	if testing.Short() {
		planted = planted[:2]
	}
	binary := filepath.Join(t.TempDir(), "engine.test")
	build := exec.Command("go", "test", "-tags", "planted", "-c", "-o", binary, "github.com/limitpal/limitpal-go/engine")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	found, worst := 0, 0
	for _, f := range planted {
		if t.Run(f.part+"/"+f.name, func(t *testing.T) { worst = max(worst, plant(t, binary, f.name)) }) {
			found++
		}
	}
	t.Attr("faults", fmt.Sprint(len(planted)))
	t.Attr("flagged", fmt.Sprint(found))
	t.Attr("most-seeds", fmt.Sprint(worst))
}

// plant runs the simulation with a fault, and returns how many seeds it took.
func plant(t *testing.T, binary, name string) (took int) {
	simulation := exec.Command(binary, "-test.run=^TestSimulation$", "-test.v", "-test.timeout=10m", fmt.Sprint("-engine.simulations=", most))
	simulation.Dir = t.TempDir()
	simulation.Env = append(os.Environ(), "LIMITPAL_FAULT="+name)
	out, err := simulation.CombinedOutput()
	switch {
	case err != nil && violations.Match(out):
		took, _ = strconv.Atoi(string(seeds.FindSubmatch(out)[1]))
		t.Logf("found within %d seeds", took)
	case err != nil && still.Match(out):
		t.Log("found: the simulation stands still")
	default:
		t.Fatalf("not found in %d seeds (%v):\n%s", most, err, out)
	}
	return took
}
