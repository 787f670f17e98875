package peers_test

import (
	"flag"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/peers"
)

var (
	durationFlag = flag.Duration("peers.duration", 50*time.Millisecond, "for how long each limiter is under contention, in real time; what needs preemption shows in a second or more")
	outFlag      = flag.String("peers.out", "", "file to write the table to, from the folder of this package")
)

// TestPeers puts everybody through every fault and writes the table. Only ours must be clean.
func TestPeers(t *testing.T) {
	faults, subjects := peers.Faults(*durationFlag), peers.All()
	table := map[string]map[string]peers.Finding{}
	for _, f := range faults {
		table[f.Name] = map[string]peers.Finding{}
	}
	checks, oursBad, peersBad := 0, 0, 0
	figures := map[string]int64{}
	for _, s := range subjects {
		applicable := 0
		for name, found := range examine(t, s, faults, patience) {
			table[name][s.Name] = found
			if found.Verdict != peers.NotApplicable {
				applicable++
			}
			switch {
			case found.Bad() && s.Kind == contender.Ours:
				oursBad++
				t.Errorf("%s, %s: %v", s.Name, name, found)
			case found.Bad():
				peersBad++
			}
		}
		require.Positive(t, applicable, "%s: no check applies", s.Name)
		checks += applicable
		for _, f := range faults {
			if found := table[f.Name][s.Name]; found.Bad() || f.Name == "contention" && found.Verdict == peers.Clean {
				figures[s.Name+"-"+f.Figure] = found.Figure
			}
		}
	}
	markdown := peers.Markdown(faults, subjects, table)
	t.Log("\n" + markdown)
	if *outFlag != "" {
		require.NoError(t, os.WriteFile(*outFlag, []byte(markdown), 0o644))
	}
	for name, figure := range figures {
		t.Attr(name, strconv.Itoa(int(figure)))
	}
	t.Attr("checks", strconv.Itoa(checks))
	t.Attr("faults-of-ours", strconv.Itoa(oursBad))
	t.Attr("faults-of-peers", strconv.Itoa(peersBad))
}

// TestModules: every peer names the modules that it is made of, with the versions that were compiled.
func TestModules(t *testing.T) {
	for _, s := range peers.All() {
		modules := s.Modules()
		if s.Kind == contender.Ours {
			require.Empty(t, modules)
			continue
		}
		require.NotEmpty(t, modules, s.Name)
		for _, m := range modules {
			require.Regexp(t, `^[a-z.]+/[a-z0-9/.-]+ v\d+\.\d+\.\d+`, m)
		}
	}
}

// TestMarkdown: a row for each fault, a cell for each subject, what is bad in bold.
func TestMarkdown(t *testing.T) {
	faults := []peers.Fault{{Name: "one", Title: "First"}, {Name: "two", Title: "Second"}}
	subjects := []peers.Subject{{Contender: contender.Contender{Name: "a"}}, {Contender: contender.Contender{Name: "b"}}}
	markdown := peers.Markdown(faults, subjects, map[string]map[string]peers.Finding{
		"one": {"a": {Verdict: peers.Clean}, "b": {Verdict: peers.Faulty, Text: "19.0x"}},
		"two": {"a": {Text: "not applicable: no breaker"}, "b": {Verdict: peers.Hung}},
	})
	require.Contains(t, markdown, "| | a | b |\n|---|---|---|\n| First | clean | **19.0x** |\n| Second | – | **hung** |\n\n")
}
