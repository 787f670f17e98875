package rates_test

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/bench/peers/rates"
)

var tracesFlag = flag.Int("rates.traces", 500, "random traces for each kind of breaker")

// documented is the number of traces for the table of docs/breaker-peers.md.
const documented = 100_000

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kinds are all kinds of breakers.
var kinds = []rates.Kind{rates.OfTime, rates.OfCalls, rates.InARow}

// account is what the traces came to for one peer.
type account struct {
	traces, differ   int // traces, and those with a call that is decided differently
	calls, decisions int // calls, and those that are decided differently
	reasons          map[rates.Rules]int
}

// TestEveryDifferenceHasAReason plays random traces on the peers and on ours. The model decides as
// ours does, and with the rules of a peer as the peer does, about every call.
func TestEveryDifferenceHasAReason(t *testing.T) {
	accounts := map[string]*account{}
	for _, p := range rates.Peers() {
		accounts[p.Name] = &account{reasons: map[rates.Rules]int{}}
	}
	synctest.Test(t, func(t *testing.T) {
		for _, kind := range kinds {
			for seed := range uint64(*tracesFlag) {
				compare(t, kind, seed, accounts)
			}
		}
	})
	traces, differ := 0, 0
	for _, p := range rates.Peers() {
		a := accounts[p.Name]
		require.NotZero(t, a.differ, "%s: the traces find nothing", p.Name)
		traces, differ = traces+a.traces, differ+a.differ
	}
	markdown := table(accounts)
	t.Log("\n" + markdown)
	if *tracesFlag == documented {
		require.Contains(t, document(t), "<!-- counts: begin -->\n"+markdown+"<!-- counts: end -->\n")
	}
	t.Attr("traces", strconv.Itoa(traces))
	t.Attr("that-differ", strconv.Itoa(differ))
	t.Attr("without-a-reason", "0")
}

func compare(t *testing.T, kind rates.Kind, seed uint64, accounts map[string]*account) {
	t.Helper()
	trace := rates.Random(kind, seed)
	subjects := []func(rates.Setting) rates.Subject{rates.NewCircuit}
	var peers []rates.Peer
	for _, p := range rates.Peers() {
		if _, has := p.Rules[kind]; has {
			peers, subjects = append(peers, p), append(subjects, p.New)
		}
	}
	decisions := rates.Play(trace, subjects...)
	require.Equal(t, rates.Decide(trace, 0), decisions[0], "ours is not the model: kind %d, seed %d, %v", kind, seed, trace)
	for i, p := range peers {
		theirs, a := decisions[i+1], accounts[p.Name]
		reason, known := rates.Explain(trace, p.Rules[kind], theirs)
		require.True(t, known, "%s has a difference without a reason: kind %d, seed %d, %v", p.Name, kind, seed,
			trace.Cells(rates.Decide(trace, p.Rules[kind]), theirs))
		_, n := rates.Differ(decisions[0], theirs)
		a.traces, a.calls, a.decisions = a.traces+1, a.calls+len(theirs), a.decisions+n
		if n > 0 {
			a.differ++
			a.reasons[reason]++
		}
	}
}

// table is the Markdown table of the accounts. A trace counts for each rule that its first
// difference needs.
func table(accounts map[string]*account) string {
	var b strings.Builder
	row := func(name string, cell func(*account) string) {
		b.WriteString("| " + name + " |")
		for _, p := range rates.Peers() {
			b.WriteString(" " + cell(accounts[p.Name]) + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("| first difference, by reason | gobreaker | failsafe-go |\n|---|---:|---:|\n")
	for i, name := range rates.Names {
		row(name, func(a *account) string {
			n := 0
			for rules, traces := range a.reasons {
				if rules&(1<<i) != 0 {
					n += traces
				}
			}
			if n == 0 {
				return "–"
			}
			return grouped(n)
		})
	}
	row("traces that differ", func(a *account) string { return grouped(a.differ) + " of " + grouped(a.traces) })
	row("decisions that differ", func(a *account) string { return grouped(a.decisions) + " of " + grouped(a.calls) })
	return b.String()
}

// grouped is n with commas between its thousands.
func grouped(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}

// TestTheEngineDecidesAsItsCircuit plays the traces on whole engines too, with their gates and
// actors.
func TestTheEngineDecidesAsItsCircuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, kind := range kinds {
			for seed := range uint64(*tracesFlag) {
				trace := rates.Random(kind, seed)
				time.Sleep(time.Until(time.Now().Truncate(rates.Slice).Add(rates.Slice + 1))) // slices of both are the same
				eng, err := rates.NewEngine(trace.Setting)
				require.NoError(t, err)
				decisions := rates.Play(trace, func(rates.Setting) rates.Subject { return eng })
				require.Equal(t, rates.Decide(trace, 0), decisions[0], "kind %d, seed %d, %v", kind, seed, trace)
				require.NoError(t, eng.Close(context.Background()))
			}
		}
	})
	t.Attr("traces-of-the-engine", strconv.Itoa(len(kinds)**tracesFlag))
}
