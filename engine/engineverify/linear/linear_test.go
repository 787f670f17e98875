package linear_test

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/limitpal/limitpal-go/engine"
)

var (
	historiesFlag = flag.Int("linear.histories", 600, "how many histories to record and check, over all configurations")
	patienceFlag  = flag.Duration("linear.patience", 20*time.Second, "how long in real time a history may take before its calls count as lost")
	seedFlag      = flag.Uint64("linear.seed", 0, "seed of the first history of each configuration; 0 takes a new one")
)

// enough is how long the search for an order may take for one key before it counts as undecided.
const enough = time.Minute

// together is how many histories are recorded in one go. They are checked while the next ones are
// recorded: recording alone leaves half of the processors idle.
const together = 64

// tally is what was done.
type tally struct {
	histories, operations, overlapping, undecided, illegal atomic.Int64
	evicted, spilled, kept                                 atomic.Uint64
	results                                                [wrong + 1]atomic.Int64
	longest                                                atomic.Int64 // search, in ns
}

// add counts what was seen of a key.
func (y *tally) add(seen []*operation) {
	y.overlapping.Add(overlapping(seen))
	for _, o := range seen {
		if o.kind == allow || o.kind == pass || o.kind == enter {
			y.results[o.result].Add(1)
		}
	}
}

// searched notes how long a search for an order took.
func (y *tally) searched(took int64) {
	for most := y.longest.Load(); took > most && !y.longest.CompareAndSwap(most, took); most = y.longest.Load() {
	}
}

// representative requires that everything that may happen to a call has happened.
func (y *tally) representative(t *testing.T) {
	for r := refused; r < wrong; r++ {
		n := y.results[r].Load()
		t.Logf("%8d calls: %v", n, r)
		if n == 0 && r != crowded {
			t.Errorf("no call came to: %v", r)
		}
	}
	if evicted, spilled := y.evicted.Load(), y.spilled.Load(); evicted == 0 || spilled == 0 {
		t.Errorf("%d keys were evicted and %d spilled: want some of both", evicted, spilled)
	}
	if kept := y.kept.Load(); kept == 0 {
		t.Error("no token of a call that was not made stayed spent")
	}
}

// TestHistoriesAreLinearizable has several clients at once use an engine, and asks whether what
// each of them saw can be put into one order in which the model would have answered the same.
// 100,000 histories, with more than six million operations:
//
//	go test ./linear -run HistoriesAreLinearizable -linear.histories 100000 -timeout 30m
func TestHistoriesAreLinearizable(t *testing.T) {
	var sum tally
	all := settings()
	each := (*historiesFlag + 2*len(all) - 1) / (2 * len(all))
	for i := range all {
		for _, d := range []engine.Dispatch{engine.Published, engine.Mailbox} {
			s := all[i]
			s.publish(d)
			t.Run(fmt.Sprint(s.name, "/", d), func(t *testing.T) { check(t, &s, d, each, &sum) })
		}
	}
	if sum.histories.Load() >= int64(max(600, 2*len(all)*each)) {
		sum.representative(t)
	}
	t.Logf("the longest search for an order of one key took %v", time.Duration(sum.longest.Load()))
	t.Attr("histories", fmt.Sprint(sum.histories.Load()))
	t.Attr("operations", fmt.Sprint(sum.operations.Load()))
	t.Attr("overlapping", fmt.Sprint(sum.overlapping.Load()))
	t.Attr("illegal", fmt.Sprint(sum.illegal.Load()))
	t.Attr("undecided", fmt.Sprint(sum.undecided.Load()))
}

// check records and checks n histories.
func check(t *testing.T, s *setting, d engine.Dispatch, n int, sum *tally) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	atOnce := 1
	if s.rules.waits {
		atOnce = 4 // mostly all wait for a step of the clock, and that for a timer of the system
	}
	var judging sync.WaitGroup
	defer judging.Wait()
	for n > 0 && !t.Failed() {
		var seeds [together]uint64
		for i := range seeds {
			seeds[i] = seed
			seed = seed*6364136223846793005 + 1442695040888963407 // a full period of seeds
		}
		batch := make([]*history, min(n, together))
		n -= len(batch)
		spread(atOnce, len(batch), func(i int) {
			var err error
			if batch[i], err = record(s, d, seeds[i]); err != nil {
				t.Errorf("%v\n%s", err, replay(t, seeds[i]))
			}
		})
		if t.Failed() {
			return
		}
		judging.Wait()
		judging.Go(func() {
			spread(runtime.GOMAXPROCS(0), len(batch), func(i int) { judge(t, batch[i], seeds[i], sum) })
		})
	}
}

// spread calls f with 0 to n-1, on so many goroutines, and waits for them.
func spread(goroutines, n int, f func(i int)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range goroutines {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				f(int(i))
			}
		})
	}
	wg.Wait()
}

// judge looks for an order of each key's operations.
func judge(t *testing.T, h *history, seed uint64, sum *tally) {
	sum.histories.Add(1)
	sum.operations.Add(int64(h.calls()))
	for key := range h.setting.keys() {
		stats, rules, seen := h.engines[key].Stats(), *h.rulesOf(key), h.of(key)
		if key == 0 || h.setting.wide != nil {
			sum.evicted.Add(stats.Evicted)
			sum.spilled.Add(stats.Spilled)
			sum.kept.Add(stats.KeptSpent)
		}
		rules.kept = int(stats.KeptSpent)
		model, operations := rules.search(seen)
		sum.add(seen)
		begun := time.Now()
		verdict := porcupine.CheckOperationsTimeout(model, operations, enough)
		sum.searched(int64(time.Since(begun)))
		switch verdict {
		case porcupine.Illegal:
			sum.illegal.Add(1)
			t.Errorf("no order explains what was seen of %s:\n%s%s\n%s", keyNames[key], written(seen), furthest(model, operations), replay(t, seed))
		case porcupine.Unknown:
			sum.undecided.Add(1)
			t.Errorf("undecided: %s\n%s\n%s", keyNames[key], written(seen), replay(t, seed))
		}
	}
}

// furthest is the longest order of operations that the model agrees with, and what could not be put
// behind it.
func furthest(model porcupine.Model, operations []porcupine.Operation) string {
	_, info := porcupine.CheckOperationsVerbose(model, operations, enough)
	var longest []porcupine.Operation
	for _, order := range info.PartialLinearizationsOperations()[0] {
		if len(order) > len(longest) {
			longest = order
		}
	}
	var lines strings.Builder
	lines.WriteString("the longest order that the model agrees with:\n")
	left := map[*operation]bool{}
	for _, o := range operations {
		left[o.Input.(*operation)] = true
	}
	for _, o := range longest {
		in := o.Input.(*operation)
		delete(left, in)
		fmt.Fprintf(&lines, "%v %s\n", in, in.part())
	}
	lines.WriteString("and not behind it:\n")
	for o := range left {
		fmt.Fprintf(&lines, "%v %s\n", o, o.part())
	}
	return lines.String()
}

// replay is the line that makes the same operations again. What comes between what is for the
// scheduler to say.
func replay(t *testing.T, seed uint64) string {
	name := strings.ReplaceAll(t.Name(), "/", "$/^")
	return fmt.Sprintf("the same operations, though not in the same order: go test ./linear -run '^%s$' -linear.seed=%d -linear.histories=1", name, seed)
}

// written are the operations by the time of their call.
func written(seen []*operation) string {
	seen = slices.SortedFunc(slices.Values(seen), func(a, b *operation) int { return cmp.Compare(a.call, b.call) })
	var lines strings.Builder
	for _, o := range seen {
		if !o.kind.follows() {
			fmt.Fprintln(&lines, o)
		}
	}
	return lines.String()
}

// overlapping counts the calls that overlap another of the same key. Steps of the clock, and what
// is not a call of its own, do not count.
func overlapping(seen []*operation) (n int64) {
	calls := slices.DeleteFunc(slices.Clone(seen), func(o *operation) bool { return o.kind == step || o.kind == total || o.kind.follows() })
	slices.SortFunc(calls, func(a, b *operation) int { return cmp.Compare(a.call, b.call) })
	latest := int64(0)
	for i, o := range calls {
		if o.call < latest || i+1 < len(calls) && calls[i+1].call < o.ret {
			n++
		}
		latest = max(latest, o.ret)
	}
	return n
}
