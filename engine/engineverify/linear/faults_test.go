package linear_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fault is a mistake that the engine might have, and where the check has to see it.
type fault struct {
	name      string
	file      string // of the main module
	is, wants string // what it says there, once, and what the fault makes of it
	settings  string // a regular expression of subtests
	sign      string // what the check says
	histories int    // of each subtest that suffice, many times over
}

const (
	illegal = "no order explains what was seen"
	lost    = "calls do not return"
)

var faults = []fault{
	{
		name:     "a refusal on a reading from before the word",
		file:     "engine/gate.go",
		is:       "\t\t\tif reading = e.system.Now(); at > reading {\n\t\t\t\treturn limited, 0, at\n\t\t\t}\n",
		wants:    "\t\t\treturn limited, 0, at\n",
		settings: "(bucket|leaky)/published", sign: illegal, histories: 2_000,
	},
	{
		name:     "a sketch that forgets",
		file:     "engine/sketch.go",
		is:       "\twords = words[:len(s.full)]\n",
		wants:    "\twords = make([]int64, len(s.full))\n",
		settings: "spill.*", sign: illegal, histories: 2_000,
	},
	{
		name:     "more probes than are needed",
		file:     "breaker/circuit.go",
		is:       "len(c.leases) >= min(r.probes, r.successes-c.count)",
		wants:    "len(c.leases) >= r.probes",
		settings: "(breaker|breaker-and-limiter|queue-and-breaker)/", sign: illegal, histories: 2_000,
	},
	{
		name:     "an open breaker that closes without a probe",
		file:     "breaker/circuit.go",
		is:       "return after(c.last, r.abandon)",
		wants:    "return after(c.last, r.forget)",
		settings: "strict-breaker/", sign: illegal, histories: 4_000,
	},
	{
		name:     "a spilled breaker that recovered and is open again",
		file:     "engine/sketch.go",
		is:       "\t\t\tset[i] = trip{}\n",
		wants:    "",
		settings: "spill-and-breaker", sign: illegal, histories: 4_000,
	},
	{
		name:     "a registry without a handshake",
		file:     "actors/lifecycle.go",
		is:       "\tif !a.box.CloseIfEmpty() {\n\t\treturn false\n\t}\n",
		wants:    "",
		settings: "(bucket|eviction)", sign: lost, histories: 2_000,
	},
	{
		name:     "a debit that is lost",
		file:     "engine/gate.go",
		is:       "if g.word.CompareAndSwap(word, limit.After(word, reading, n)) {\n",
		wants:    "if g.word.Store(limit.After(word, reading, n)); true {\n",
		settings: "(bucket|leaky)/published", sign: illegal, histories: 2_000,
	},
	{
		name: "a late refund",
		file: "engine/keeper.go",
		is:   "\t\ts.circuit.Report(k.rules, now, m.permit, m.outcome)\n",
		wants: "\t\ts.circuit.Report(k.rules, now, m.permit, m.outcome)\n" +
			"\t\tif m.outcome == Failure && len(k.limits) > 0 {\n" +
			"\t\t\ts.words[0] = max(now, s.words[0]-k.limits[0].After(0, 0, 1))\n" +
			"\t\t}\n",
		settings: "breaker-and-limiter", sign: illegal, histories: 2_000,
	},
	{
		name:     "keys that are forgotten whatever they owe",
		file:     "engine/gate.go",
		is:       "\treturn word <= unused && g.word.CompareAndSwap(word, gone)\n",
		wants:    "\tg.word.Store(gone)\n\treturn true\n",
		settings: "eviction", sign: illegal, histories: 2_000,
	},
	{
		name:     "a reset in the midst of a birth",
		file:     "engine/snapshot.go",
		is:       "\t\te.system.Still(func() { // else the key could be born meanwhile, with the sketch's memory of it\n\t\t\tif _,",
		wants:    "\t\tfunc(f func()) { f() }(func() {\n\t\t\tif _,",
		settings: "spill.*", sign: illegal, histories: 20_000,
	},
	{
		name:     "a token of one period of the breaker with a permit of the one before",
		file:     "engine/gate.go",
		is:       "\t\tif word = g.word.Load(); word < 0 {\n\t\t\treturn undecided, 0, 0\n\t\t}\n\t\tgeneration = g.generation.Load()\n",
		wants:    "\t\tgeneration = g.generation.Load()\n\t\tfor range 20 * spins {\n\t\t}\n\t\tif word = g.word.Load(); word < 0 {\n\t\t\treturn undecided, 0, 0\n\t\t}\n",
		settings: "eviction-and-breaker/published", sign: illegal, histories: 60_000,
	},
}

// TestPlantedFaultsAreFlagged builds the check with an engine that has one fault, for each in turn, and requires that it fails.
func TestPlantedFaultsAreFlagged(t *testing.T) {
	planted := faults
	if testing.Short() {
		planted = planted[:2]
	}
	flagged := 0
	for _, f := range planted {
		if t.Run(f.name, f.plant) {
			flagged++
		}
	}
	t.Attr("faults", fmt.Sprint(len(planted)))
	t.Attr("flagged", fmt.Sprint(flagged))
}

// plant runs the check on an engine with the fault.
func (f fault) plant(t *testing.T) {
	began := time.Now()
	check := exec.Command("go", "test", "-overlay", f.overlay(t), "-vet=off", "-count=1", "-failfast", "-timeout=5m",
		"-run", "^TestHistoriesAreLinearizable$/"+f.settings, ".",
		"-linear.histories", fmt.Sprint(2*len(settings())*f.histories), "-linear.patience", "2s")
	out, err := check.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte(f.sign)) {
		t.Fatalf("not flagged (%v):\n%s", err, out)
	}
	t.Logf("flagged after %v", time.Since(began).Round(100*time.Millisecond))
}

// overlay writes the file with the fault, and what has the go command read it in place of the file.
func (f fault) overlay(t *testing.T) string {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	file, dir := filepath.Join(root, filepath.FromSlash(f.file)), t.TempDir()
	sound, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(sound), f.is); n != 1 {
		t.Fatalf("%s has the place for this fault %d times: plant it anew\n%s", f.file, n, f.is)
	}
	faulty := filepath.Join(dir, filepath.Base(file))
	list, err := json.Marshal(map[string]map[string]string{"Replace": {file: faulty}})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	for name, text := range map[string]string{faulty: strings.Replace(string(sound), f.is, f.wants, 1), overlay: string(list)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return overlay
}
