package planted_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// otherFaults has faults of chains and of changes, with the package and the tests that find them.
var otherFaults = []struct{ name, in, by string }{
	{"a policy that changes and leaves full-at as it was", "engine", "TestChangesGiveNothingAway"},
	{"a change that raises the tokens", "engine", "TestChangesThereAndBack"},
	{"a change that fills the bucket", "engine", "TestYearsOfOutages"},
	{"a wide limit that begins unseen by those who wait", "engine", "TestAWideLimitThatBeginsIsSeenByThoseWhoWait"},
	{"a key evicted and born with more than it had", "engine", "TestChangesGiveNothingAway"},
	{"a spilled key that a change makes as new", "engine", "TestChangesGiveNothingAway"},
	{"a waiter left with the old time", "engine", "TestWaitersFollowTheLimits"},
	{"an old policy's debit after the conversion", "engine/internal/guard", "TestADebitByAnOldPolicyFails"},
	{"a debit undone across a change", "engine/internal/guard", "TestATokenOfAnOldPolicyIsNotGivenBack"},
	{"a plain refund", "engine/internal/guard", "TestGivingBackBreaksNoBound"},
	{"an undo while the own full-at lies in the future", "engine/internal/guard", "TestGivingBackBreaksNoBound"},
	{"a debit undone across a Reset", "engine/internal/guard", "TestGivingBackBreaksNoBound"},
	{"a token given back twice", "engine/internal/guard", "TestLastInFirstOutLosesNothing"},
	{"a token given back twice", "engine", "TestWhoGivesUpInAWideQueueLeavesNothing"},
	{"a wide key taken although a narrow one is known to refuse", "engine", "TestACallThatIsSureToBeRefusedHoldsNothing"},
	{"a probe held by a waiter", "engine", "TestNoProbeIsHeldByACallThatWaits"},
	{"a slow probe that counts as well", "engine", "TestNothingKeepsABreakerHalfOpen"},
	{"a row that is served twice in a round", "engine", "TestAWideQueueServesTenantsInTurn"},
	{"a row that waits for its turn in vain", "engine", "TestAWideQueueServesTenantsInTurn"},
	{"a lease that ends with a longer one", "breaker", "TestALeaseThatIsShorterThanEarlierOnesEndsInTime"},
	{"a window that a change revives", "breaker", "TestALongerWindowRevivesNoCall"},
	{"a permit that begins no slice", "engine", "TestEveryCallOfAChainBeginsASlice"},
	{"a place that a call keeps whose function does not return", "engine", "TestRowPlacesComeBackWhateverTheEnd"},
	{"a place that a late Done keeps", "engine", "TestRowPlacesComeBackWhateverTheEnd"},
	{"a place that a call keeps which is not made", "engine", "TestRowPlacesOfAChain"},
	{"a place that a cancelled waiter keeps", "engine", "TestNoPlaceIsLost"},
	{"a place beyond the bound", "engine", "TestRowPlacesBoundTheCallsInFlight"},
	{"a queue that is not served after the last leaver", "engine", "TestRowPlacesAreAwaitedInTurn"},
	{"a key that is forgotten with calls in flight", "engine", "TestRowPlacesKeepTheirKey"},
	{"a late grant that counts in the window before", "engine", "TestALateGrantCountsInTheWindowInWhichItComes"},
	{"a place that a late Done keeps", "engine", "TestYearsOfOutages"},
	{"a charge that is lost", "engine", "TestYearsOfOutages"},
	{"a cost that is one token at a gate", "engine", "TestYearsOfOutages"},
	{"an attempt without its time limit", "engine", "TestYearsOfOutages"},
	{"a report of a slow call that is not answered", "engine/internal/guard", "TestASlowSuccessIsAnsweredAlthoughNoRateIsJudgedAnyMore"},
}

// TestOtherTestsFindPlantedFaults; without a fault they pass.
func TestOtherTestsFindPlantedFaults(t *testing.T) {
	binaries := map[string]string{}
	for _, f := range otherFaults {
		binary, built := binaries[f.in]
		if !built {
			binary = filepath.Join(t.TempDir(), filepath.Base(f.in)+".test")
			build := exec.Command("go", "test", "-tags", "planted", "-c", "-o", binary, "github.com/limitpal/limitpal-go/"+f.in)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			binaries[f.in] = binary
		}
		t.Run(f.in+"/"+f.name, func(t *testing.T) {
			for _, fault := range []string{"", f.name} {
				var out []byte
				var err error
				found := false
				for tries := 0; !found && tries < 5 && (tries == 0 || fault != ""); tries++ { // what many goroutines do is a matter of luck
					run := exec.Command(binary, "-test.run=^"+f.by+"$", "-test.v", "-test.timeout=2m")
					run.Dir = t.TempDir()
					run.Env = append(os.Environ(), "LIMITPAL_FAULT="+fault)
					out, err = run.CombinedOutput()
					found = err != nil && strings.Contains(string(out), "--- FAIL: "+f.by)
				}
				if found != (fault != "") {
					t.Fatalf("with %q: found: %t (%v)\n%s", fault, found, err, out)
				}
			}
		})
	}
}
