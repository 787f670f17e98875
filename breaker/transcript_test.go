package breaker_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

var rewrite = flag.Bool("rewrite", false, "write the answers in testdata anew instead of comparing them")

// The files of testdata are conversations with a circuit: what is done stands before the arrow, what comes of it behind.
// They are read as documentation; testdata/README.txt says what the words mean.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/[a-z]*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			told := retell(t, string(text))
			if *rewrite {
				require.NoError(t, os.WriteFile(file, []byte(told), 0o644))
				return
			}
			require.Equal(t, string(text), told)
		})
	}
}

// retell does what stands before the arrows and returns the text with the answers it got.
func retell(t *testing.T, text string) string {
	var (
		b strings.Builder
		n *narrator
	)
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		command, _, _ := strings.Cut(line, "->")
		words := strings.Fields(command)
		switch {
		case strings.HasPrefix(line, "#") || len(words) == 0:
			fmt.Fprintln(&b, line)
		case words[0] == "policy":
			n = newNarrator(t, words[1:])
			fmt.Fprintln(&b, line)
		default:
			require.NotNil(t, n, "%q comes before any policy", line)
			fmt.Fprintf(&b, "%-21s -> %s\n", strings.Join(words, " "), n.do(words))
		}
	}
	return b.String()
}

// narrator does what a transcript says and tells what comes of it.
type narrator struct {
	*testing.T
	*machine
	permits map[string]breaker.Permit // the calls under way, by name
}

func newNarrator(t *testing.T, settings []string) *narrator {
	var p breaker.Policy
	numbers := map[string]*int{"threshold": &p.FailureThreshold, "successes": &p.HalfOpenSuccesses, "probes": &p.HalfOpenProbes, "tolerated": &p.HalfOpenFailures}
	times := map[string]*time.Duration{"recovery": &p.RecoveryTimeout, "lease": &p.ProbeTimeout, "forget": &p.ForgetAfter, "max": &p.MaxRecovery}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		var err error
		if to, ok := numbers[name]; ok {
			*to, err = strconv.Atoi(value)
		} else {
			require.Contains(t, times, name)
			*times[name], err = time.ParseDuration(value)
		}
		require.NoError(t, err)
	}
	return &narrator{T: t, machine: newMachine(t, p), permits: map[string]breaker.Permit{}}
}

var outcomes = map[string]breaker.Outcome{"ok": breaker.Success, "fails": breaker.Failure, "ignored": breaker.Ignore}

func (n *narrator) do(words []string) string {
	switch words[0] {
	case "advance":
		d, err := time.ParseDuration(words[1])
		require.NoError(n, err)
		n.advance(d)
		n.Advance(n.rules, n.now)
	case "renew":
		n.Renew(n.rules)
	case "call":
		p, ok := n.machine.call()
		switch {
		case !ok:
			return "refused; " + n.state()
		case len(words) == 2:
			n.permits[words[1]] = p
			return n.leave(p) + "; " + n.state()
		}
		n.report(p, outcomes[n.known(words[2])])
		return n.leave(p) + "; " + n.state()
	default: // the end of a call by that name
		p, ok := n.permits[words[0]]
		require.True(n, ok, "no call is named %q", words[0])
		if words[1] == "asks" {
			d, err := time.ParseDuration(words[2])
			require.NoError(n, err)
			n.End(n.rules, n.now, p, breaker.Ending{Outcome: breaker.Failure, OpenFor: int64(d)})
			return n.state()
		}
		o := outcomes[n.known(words[1])]
		n.Advance(n.rules, n.now)
		stale := p.Generation != n.Generation()
		n.report(p, o)
		if stale {
			return "stale; " + n.state()
		}
	}
	return n.state()
}

func (n *narrator) known(outcome string) string {
	require.Contains(n, outcomes, outcome)
	return outcome
}

func (n *narrator) leave(p breaker.Permit) string {
	if p.Lease != 0 {
		return "probe"
	}
	return "passes"
}

// state is the circuit in words.
func (n *narrator) state() string {
	l := n.look()
	var b strings.Builder
	b.WriteString(l.state.String())
	switch {
	case l.state == breaker.Open:
		fmt.Fprintf(&b, " for %v", l.openFor)
	case l.openFor > 0:
		fmt.Fprintf(&b, " and full for %v", l.openFor)
	case l.failures > 0:
		fmt.Fprintf(&b, ", failures %d", l.failures)
	}
	if ends := n.LeaseEnds(); ends-n.now < 1<<62 {
		fmt.Fprintf(&b, ", lease ends in %v", time.Duration(ends-n.now))
	}
	return b.String()
}
