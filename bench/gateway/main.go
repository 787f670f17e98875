// Command gateway puts load on examples/gateway and, in turns, on the same reverse proxy without an engine, and compares them.
//
//	go run ./bench/gateway           five rounds of three times 30 s, about nine minutes
//	go run ./bench/gateway -docs .   and write the tables into docs/gateway.md
//
// The load is that of wrk (https://github.com/wg/wrk), which must be installed: on Debian it is a package. Everything is on loopback and on the
// same cores: wrk, the proxy, and an upstream that answers at once. Each has a process of its own.
//
// Three are compared. "plain" is httputil.ReverseProxy, with the connections and the buffers of the gateway and nothing else. "gateway" has a
// route with limiter, breaker and retries, which admits all. "refusing" is the same with a limit so low that nine of ten requests are refused;
// the limit is found by trying.
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
	rounds         int
	connections    int
	duration       time.Duration
	docs           string
}

func run(ctx context.Context, args []string, out, status io.Writer) error {
	var o options
	fs := flag.NewFlagSet("gateway", flag.ContinueOnError)
	fs.SetOutput(status)
	fs.IntVar(&o.rounds, "rounds", 5, "how many rounds")
	fs.IntVar(&o.connections, "connections", 256, "how many connections wrk keeps")
	fs.DurationVar(&o.duration, "duration", 30*time.Second, "how long each is under load in a round, in whole seconds")
	fs.StringVar(&o.docs, "docs", "", "write the tables into docs/gateway.md of the repository in this `folder`")
	fs.StringVar(&o.role, "role", "", "for processes that this one starts: upstream or plain")
	fs.StringVar(&o.upstream, "upstream", "", "for the role plain: where to pass requests on to")
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch {
	case o.role != "":
		return play(ctx, o.role, o.upstream, out)
	case o.rounds < 1, o.connections < 2, o.duration < time.Second:
		return fmt.Errorf("-rounds %d, -connections %d, -duration %v: at least 1, 2 and 1s", o.rounds, o.connections, o.duration)
	}
	if _, err := exec.LookPath("wrk"); err != nil {
		return fmt.Errorf("%w (on Debian: apt-get install wrk)", err)
	}
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := stage(ctx, dir)
	if err != nil {
		return err
	}
	defer s.clear()
	if err := s.calibrate(ctx, o, status); err != nil {
		return err
	}
	table, err := s.measure(ctx, o, status)
	if err != nil {
		return err
	}
	fmt.Fprint(out, table.markdown())
	if o.docs != "" {
		return table.write(filepath.Join(o.docs, "docs", "gateway.md"))
	}
	return nil
}

// subjects are what is compared.
var subjects = []string{"plain", "gateway", "refusing"}

// measure puts each subject under load once in a round, in an order drawn anew.
func (s *scene) measure(ctx context.Context, o options, status io.Writer) (table, error) {
	t := table{options: o, limit: s.limit, circumstances: circumstances(ctx), samples: map[string][]sample{}}
	for round := range o.rounds {
		for _, i := range rand.Perm(len(subjects)) {
			name := subjects[i]
			fmt.Fprintf(status, "round %d of %d, about %v left: %s\n", round+1, o.rounds,
				time.Duration((o.rounds-round)*len(subjects))*o.duration, name)
			got, err := load(ctx, s.urls[name], o.connections, o.duration)
			if err != nil {
				return table{}, fmt.Errorf("%s: %w", name, err)
			}
			t.samples[name] = append(t.samples[name], got)
		}
	}
	return t, nil
}
