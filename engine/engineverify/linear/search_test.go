package linear_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/limitpal/limitpal-go/engine"
)

var comparedFlag = flag.Int("linear.compared", 3, "how many histories of each configuration to judge by both searches")

// TestSlowHistoriesAreDecidedInBoundedSteps searches histories of the setting queue-and-breaker for
// which the search that tries every order takes millions of steps; the first was once left
// undecided after a minute. The steps are counted, since their number is the same on every machine.
func TestSlowHistoriesAreDecidedInBoundedSteps(t *testing.T) {
	all := settings()
	s := all[slices.IndexFunc(all, func(s setting) bool { return s.name == "queue-and-breaker" })]
	for _, slow := range []struct {
		file  string
		d     engine.Dispatch
		legal bool
		most  int // steps
	}{
		{"undecided.txt", engine.Published, true, 700_000},
		{"published.txt", engine.Published, true, 400_000},
		{"mailbox.txt", engine.Mailbox, true, 300_000},
		{"illegal.txt", engine.Mailbox, false, 600_000}, // spoiled
	} {
		t.Run(slow.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", slow.file))
			if err != nil {
				t.Fatal(err)
			}
			seen, err := read(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if back := written(seen); back != string(text) {
				t.Fatalf("read as\n%s", back)
			}
			s.publish(slow.d)
			model, operations := s.rules.search(seen)
			steps, step := 0, model.Step
			model.StepContext = nil
			model.Step = func(state, in, out any) (bool, any) {
				steps++
				return step(state, in, out)
			}
			legal := porcupine.CheckOperations(model, operations)
			if legal != slow.legal || steps > slow.most {
				t.Errorf("legal: %v, after %d steps; want %v, after at most %d", legal, steps, slow.legal, slow.most)
			}
		})
	}
}

// TestOrdersLeftOutChangeNoVerdict has histories, as they are and spoiled at random, judged by the
// search and by one that tries every order.
func TestOrdersLeftOutChangeNoVerdict(t *testing.T) {
	var verdicts [2]atomic.Int64 // legal and illegal
	for _, s := range settings() {
		for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
			s.publish(d)
			t.Run(fmt.Sprint(s.name, "/", d), func(t *testing.T) {
				for range *comparedFlag {
					seed := rand.Uint64()
					h, err := record(&s, d, seed)
					if err != nil {
						t.Fatal(err)
					}
					spread(runtime.GOMAXPROCS(0), s.keys(), func(key int) { compare(t, h, key, seed, &verdicts) })
				}
			})
		}
	}
	if legal, illegal := verdicts[0].Load(), verdicts[1].Load(); legal == 0 || illegal == 0 {
		t.Errorf("%d histories were legal and %d illegal: want some of both", legal, illegal)
	} else {
		t.Logf("%d histories of a key were legal and %d illegal", legal, illegal)
	}
}

// compare compares the verdicts on what was seen of a key.
func compare(t *testing.T, h *history, key int, seed uint64, verdicts *[2]atomic.Int64) {
	rng := rand.New(rand.NewPCG(seed, uint64(clients+1+key)))
	rules := *h.rulesOf(key)
	rules.kept = int(h.engines[key].Stats().KeptSpent)
	for spoils := range 4 {
		seen := spoiled(rng, h.of(key), spoils)
		var found [2]porcupine.CheckResult
		for i := range found {
			rules.plain = i > 0
			model, operations := rules.search(seen)
			found[i] = porcupine.CheckOperationsTimeout(model, operations, 5*time.Second)
		}
		switch {
		case slices.Contains(found[:], porcupine.Unknown):
		case found[0] != found[1]:
			t.Errorf("%v, and %v if every order is tried:\n%s", found[0], found[1], written(seen))
		case found[0] == porcupine.Ok:
			verdicts[0].Add(1)
		default:
			verdicts[1].Add(1)
		}
	}
}
