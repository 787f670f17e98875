package peers_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/peers"
)

// TestTheHarnessCanTell has every check look at a toy that is right, and at one with the fault that it is for.
func TestTheHarnessCanTell(t *testing.T) {
	right := toyOf("right")
	flagged := 0
	for _, f := range peers.Faults(20 * time.Millisecond) {
		require.Equal(t, peers.Clean, check(t, f, right).Verdict, f.Name)
		var found peers.Finding
		switch f.Name {
		case "callback": // what deadlocks stays
			found = examine(t, toyOf(f.Name), []peers.Fault{f}, patience)[f.Name]
		case "contention": // a machine that is busy elsewhere may not ask for more than the bound
			for range 20 {
				if found = check(t, f, toyOf(f.Name)); found.Bad() {
					break
				}
			}
		default:
			found = check(t, f, toyOf(f.Name))
		}
		t.Logf("%s: %v", f.Name, found)
		require.Equal(t, peers.Faulty, found.Verdict, f.Name)
		require.Positive(t, found.Figure, f.Name)
		flagged++
	}
	t.Attr("planted-faults", strconv.Itoa(flagged))
}

// TestTheHarnessSurvives has subjects that never return, or take their process with them. What comes after is checked.
func TestTheHarnessSurvives(t *testing.T) {
	boundary, after := named(t, "boundary"), named(t, "hang")
	for _, c := range []struct {
		toy, want string
		patience  time.Duration
	}{
		{"crashes", "hung", patience}, {"blocks", "deadlock", patience},
		{"spins", "hung", 250 * time.Millisecond}, // the only toy whose process does not end by itself
	} {
		found := examine(t, toyOf(c.toy), []peers.Fault{boundary}, c.patience)
		require.Equal(t, peers.Finding{Verdict: peers.Hung, Text: c.want, Figure: 1}, found[boundary.Name], c.toy)
	}
	found := examine(t, toyOf("crashes"), []peers.Fault{boundary, after}, patience)
	require.Equal(t, peers.Hung, found[boundary.Name].Verdict)
	require.Equal(t, peers.Clean, found[after.Name].Verdict)
}

// TestABreakerThatGuardsNothingIsNotClean: one that never opens recovers from everything.
func TestABreakerThatGuardsNothingIsNotClean(t *testing.T) {
	for _, name := range []string{"hang", "panic", "goexit", "neutral", "stale"} {
		found := check(t, named(t, name), toyOf("never"))
		require.Equal(t, peers.Faulty, found.Verdict, name)
	}
	found := check(t, named(t, "hang"), toyOf("herd"))
	require.Equal(t, "two probes at once", found.Text)
}

// TestWhatASubjectLacksIsNotApplicable: nobody is clean of what was not checked.
func TestWhatASubjectLacksIsNotApplicable(t *testing.T) {
	s := peers.Subject{Contender: contender.Contender{Name: "nothing"}}
	for _, f := range peers.Faults(time.Millisecond) {
		require.Equal(t, peers.NotApplicable, check(t, f, s).Verdict, f.Name)
	}
}

func named(t *testing.T, name string) peers.Fault {
	t.Helper()
	for _, f := range peers.Faults(20 * time.Millisecond) {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no fault is named %s", name)
	return peers.Fault{}
}
