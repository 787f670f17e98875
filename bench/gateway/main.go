// Command gateway measures examples/gateway: how much it takes from a reverse proxy, and whether a sick upstream is felt on the route of
// another.
//
//	go run ./bench/gateway              both, in about 45 minutes: twice five rounds of five times 30 s under load, and five of 20 s
//	                                    with the sick upstream
//	go run ./bench/gateway -only sick   one of them
//	go run ./bench/gateway -docs .      and write the tables into docs/gateway.md
//
// To compare two builds of the gateway, in twenty short rounds:
//
//	go run ./bench/gateway -only load -subjects plain,gateway,before -before ./old -answer 1024 -rounds 20 -duration 5s
//
// The load is that of wrk (https://github.com/wg/wrk), which must be installed: on Debian it is a package. Everything is on loopback and on the
// same cores: wrk, the proxy, and an upstream that answers at once. Each has a process of its own. Requests beside the sick upstream are sent
// by this process, each at its time.
//
// Five are compared under load, with answers of two sizes. "plain" is httputil.ReverseProxy, with the connections, the buffers and the
// timeouts of the server that the gateway has, and nothing else. "unguarded" is the gateway with a route that has neither limiter nor breaker
// nor retries. "gateway" has one with all of them, which admits all. "refusing" is the same with a limit so low that nine of ten requests are
// refused; the limit is found by trying, and anew after each turn. "ceiling" is plain behind a few lines that refuse nine of ten requests without
// looking at them: what net/http leaves to be reached. "before" has the configuration of "gateway", and is the gateway of another build, which
// -before names; without -before it is left out.
//
// The time of the processor, user and system, is that of the subject's process alone, from its start to its end, for each request that it has
// answered. Other work on the machine changes that time less than it changes the others.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	role, upstream string // of a child
	answer         int    // bytes; 0: each of answers
	rounds         int
	connections    int
	duration       time.Duration
	subjects       []string // the first is plain
	before         string   // the command of the subject of this name
	only, docs     string
}

// choose sets the subjects, from a list with commas, or else all.
func (o *options) choose(list string) error {
	if o.subjects = subjects; list != "" {
		o.subjects = strings.Split(list, ",")
	} else if o.before != "" {
		o.subjects = append(slices.Clone(subjects), before)
	}
	for i, name := range o.subjects {
		if !slices.Contains(subjects, name) && (name != before || o.before == "") || slices.Contains(o.subjects[:i], name) {
			return fmt.Errorf("-subjects %q: must be some of %v, or %s with -before", list, subjects, before)
		}
	}
	if o.subjects[0] != subjects[0] {
		return fmt.Errorf("-subjects %q: must begin with %s, to which the others are compared", list, subjects[0])
	}
	return nil
}

func run(ctx context.Context, args []string, out, status io.Writer) error {
	var o options
	fs := flag.NewFlagSet("gateway", flag.ContinueOnError)
	fs.SetOutput(status)
	fs.IntVar(&o.rounds, "rounds", 5, "how many rounds")
	fs.IntVar(&o.connections, "connections", 256, "how many connections wrk keeps")
	fs.DurationVar(&o.duration, "duration", 30*time.Second, "how long each is under load in a round, a multiple of 5s")
	fs.StringVar(&o.only, "only", "", "run only this `study`: load or sick")
	fs.StringVar(&o.docs, "docs", "", "write the tables into docs/gateway.md of the repository in this `folder`")
	fs.IntVar(&o.answer, "answer", 0, "how many `bytes` the upstream answers with under load; 0: 1 KiB, and then 16 KiB")
	chosen := fs.String("subjects", "", "put only these under load, a `list` with commas that begins with plain; default: all")
	fs.StringVar(&o.before, "before", "", "the `command` of another build of the gateway, to compare with")
	fs.StringVar(&o.role, "role", "", "for processes that this one starts: upstream, plain or ceiling")
	fs.StringVar(&o.upstream, "upstream", "", "for the roles plain and ceiling: where to pass requests on to")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if o.role != "" {
		return play(ctx, o, out)
	}
	if err := o.choose(*chosen); err != nil {
		return err
	}
	switch {
	case o.rounds < 1, o.connections < 2:
		return fmt.Errorf("-rounds %d, -connections %d: at least 1 and 2", o.rounds, o.connections)
	case o.duration < turn, o.duration%turn != 0:
		return fmt.Errorf("-duration %v: must be a multiple of %v", o.duration, turn)
	}
	if !slices.Contains([]string{"", "load", "sick"}, o.only) {
		return fmt.Errorf("-only %q: must be load or sick", o.only)
	}
	for _, study := range []struct {
		name string
		run  func(context.Context, options, io.Writer) (string, error)
	}{{"load", underLoad}, {"sick", besideTheSick}} {
		if o.only != "" && o.only != study.name {
			continue
		}
		text, err := study.run(ctx, o, status)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%s", text)
		if o.docs != "" {
			if err := write(filepath.Join(o.docs, "docs", "gateway.md"), study.name, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// answers are how many bytes the upstream answers with.
var answers = []int{1 << 10, 16 << 10}

// underLoad compares the subjects under the load of wrk.
func underLoad(ctx context.Context, o options, status io.Writer) (string, error) {
	if _, err := exec.LookPath("wrk"); err != nil {
		return "", fmt.Errorf("%w (on Debian: apt-get install wrk)", err)
	}
	var text strings.Builder
	sizes := answers
	if o.answer > 0 {
		sizes = []int{o.answer}
	}
	for _, bytes := range sizes {
		fmt.Fprintf(status, "answers of %d KiB\n", bytes>>10)
		err := staged(ctx, bytes, func(s *scene) error {
			s.before = o.before
			if err := s.calibrate(ctx, o, status); err != nil {
				return err
			}
			t, err := s.measure(ctx, o, status)
			fmt.Fprintf(&text, "Answers of %d KiB. %s\n", bytes>>10, t.markdown())
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return text.String() + circumstances(ctx) + ".\n", nil
}

// besideTheSick watches a healthy route while the upstream of another is sick.
func besideTheSick(ctx context.Context, o options, status io.Writer) (string, error) {
	const each = 5 * time.Second
	var rounds []sickness
	err := staged(ctx, answers[0], func(s *scene) error {
		for round := range o.rounds {
			fmt.Fprintf(status, "round %d of %d with a sick upstream, about %v each\n", round+1, o.rounds, each*time.Duration(len(states)))
			seen, err := sicken(ctx, s, each)
			if err != nil {
				return err
			}
			rounds = append(rounds, seen)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return sickTable(rounds, each, circumstances(ctx)), nil
}

// subjects are what is compared, beside before. The first is what the others are compared to.
var subjects = []string{"plain", "unguarded", "gateway", "refusing", "ceiling"}

// before is the subject that is another build of the gateway.
const before = "before"

// turn is how long a subject is under load before it is the next one's turn. The speed of a machine that is shared with others drifts by tens of
// per cent within minutes, and a process is up to five per cent faster or slower for as long as it lives, presumably by where its memory
// lies: both are as much as what is compared here differs by. So turns are short, and each has a process of its own.
const turn = 5 * time.Second

// measure puts each subject under load for as long in each round, in many turns, whose order is drawn anew each time.
func (s *scene) measure(ctx context.Context, o options, status io.Writer) (table, error) {
	t := table{options: o, samples: map[string][]sample{}}
	for round := range o.rounds {
		for _, name := range o.subjects {
			t.samples[name] = append(t.samples[name], newSample())
		}
		fmt.Fprintf(status, "round %d of %d, about %v left\n", round+1, o.rounds, time.Duration((o.rounds-round)*len(o.subjects))*o.duration)
		for range o.duration / turn {
			for _, i := range rand.Perm(len(o.subjects)) {
				name := o.subjects[i]
				got, err := s.load(ctx, name, o.connections, turn)
				if err != nil {
					return table{}, err
				}
				t.samples[name][round].add(got)
			}
		}
	}
	return t, nil
}
