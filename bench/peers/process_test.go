package peers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/limitpal/limitpal-go/bench/contender"
	"github.com/limitpal/limitpal-go/bench/peers"
)

// A subject is examined in a process of its own, which is this test binary again: one that deadlocks, or brings the process
// down, loses the check that it was at, and is given the others in another process. So no check can hang the harness, and no
// goroutine that a peer leaves behind is ours.
const (
	subjectVariable = "PEERS_SUBJECT" // name of the subject
	faultsVariable  = "PEERS_FAULTS"  // names of the faults, separated by commas
	findingMark     = "finding: "     // before every finding that the process prints

	neighbourVariable = "PEERS_NEIGHBOUR" // set in a process that is nothing but work for a processor
)

// patience is the longest time for a process beyond the contention. A process that comes to an end takes a second or two, on a machine
// that is busy elsewhere some more.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(neighbourVariable) != "" {
		spin()
		return
	}
	if s, child := subject(os.Getenv(subjectVariable)); child && s.Kind != contender.Ours {
		os.Exit(m.Run()) // what a peer leaves running ends here
	}
	goleak.VerifyTestMain(m)
}

func subject(name string) (peers.Subject, bool) {
	for _, s := range slices.Concat(peers.All(), toys()) {
		if s.Name == name {
			return s, true
		}
	}
	return peers.Subject{}, false
}

// spin keeps a processor busy until standard input ends, as it does when the process is gone that has begun this one.
func spin() {
	var over atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		over.Store(true)
	}()
	for !over.Load() {
	}
}

// neighbours starts a process that spins for each processor, and returns what ends them.
func neighbours(t *testing.T) (end func()) {
	t.Helper()
	var ends []func()
	for range runtime.GOMAXPROCS(0) {
		cmd := exec.Command(os.Args[0]) //nolint:noctx // ended by end
		cmd.Env = append(os.Environ(), neighbourVariable+"=1", "GOMAXPROCS=1")
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		ends = append(ends, func() {
			_ = in.Close()
			require.NoError(t, cmd.Wait())
		})
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// check runs one check, in a bubble if it is to be simulated and the subject does not read the time past package time.
func check(t *testing.T, f peers.Fault, s peers.Subject) (found peers.Finding) {
	if f.Busy {
		defer neighbours(t)()
	}
	if !f.Simulated || s.RealClock {
		return f.Check(s)
	}
	synctest.Test(t, func(*testing.T) { found = f.Check(s) })
	return found
}

// TestSubject is what such a process runs.
func TestSubject(t *testing.T) {
	s, child := subject(os.Getenv(subjectVariable))
	if !child {
		return // only in a process of its own
	}
	faults := strings.Split(os.Getenv(faultsVariable), ",")
	for _, f := range peers.Faults(*durationFlag) {
		if slices.Contains(faults, f.Name) {
			line, err := json.Marshal(check(t, f, s))
			require.NoError(t, err)
			fmt.Printf("\n%s%s\n", findingMark, line)
		}
	}
}

// examine runs the checks for faults in processes of their own. Ours must end as a process should, too.
func examine(t *testing.T, s peers.Subject, faults []peers.Fault, patience time.Duration) map[string]peers.Finding {
	t.Helper()
	found := map[string]peers.Finding{}
	for len(found) < len(faults) {
		var names []string
		for _, f := range faults[len(found):] {
			names = append(names, f.Name)
		}
		findings, output, err := process(s.Name, names, *durationFlag+patience)
		for i, f := range findings {
			found[names[i]] = f
		}
		if len(findings) < len(names) {
			require.Error(t, err, output)
			found[names[len(findings)]] = peers.Finding{Verdict: peers.Hung, Text: cause(output), Figure: 1}
			t.Logf("%s, %s: %v", s.Name, names[len(findings)], err)
			continue
		}
		if s.Kind == contender.Ours {
			require.NoError(t, err, output)
		}
	}
	return found
}

// process runs the checks one after the other until one does not end, or the time is up.
func process(name string, faults []string, limit time.Duration) (findings []peers.Finding, output string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestSubject$", fmt.Sprintf("-test.timeout=%v", limit+time.Second), // also should we be gone
		fmt.Sprintf("-peers.duration=%v", *durationFlag))
	cmd.Env = append(os.Environ(), subjectVariable+"="+name, faultsVariable+"="+strings.Join(faults, ","),
		"GORACE=atexit_sleep_ms=0") // the race detector sleeps for a second else
	cmd.WaitDelay = time.Second
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	err = cmd.Run()
	for line := range strings.Lines(both.String()) {
		if text, ok := strings.CutPrefix(line, findingMark); ok {
			var f peers.Finding
			if bad := json.Unmarshal([]byte(text), &f); bad != nil {
				return findings, both.String(), bad
			}
			findings = append(findings, f)
		}
	}
	return findings, both.String(), err
}

// cause is why a process did not come to an end, as far as its output tells.
func cause(output string) string {
	switch {
	case strings.Contains(output, "deadlock"):
		return "deadlock"
	case strings.Contains(output, "panic: "):
		return "crash"
	default:
		return "hung"
	}
}
