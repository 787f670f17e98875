// Command engineverify runs every check of the engine that has figures: histories that are checked
// for linearizability, fuzz targets, properties, simulated years, chaos. Each check is a test of
// this repository with a flag for its volume. engineverify runs the checks with the volumes that
// docs/reliability.md reports, compares the reported figures with the bars in checks.go, and prints
// one table.
//
//	go run ./engine/engineverify             all but the soak, in under fourteen minutes on two cores
//	go run ./engine/engineverify -soak 10m   the soak alone
//	go run ./engine/engineverify -only fuzz  the checks with "fuzz" in their name
//	go run ./engine/engineverify -docs .     and write the table into docs/reliability.md
//
// The exit status is 1 if a check failed or missed a bar. Run engineverify from the root of the
// repository.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == toolexec {
		if err := runTool(os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintf(os.Stderr, "engineverify: %s: %v\n", os.Args[2], err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "engineverify:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("engineverify", flag.ContinueOnError)
	soak := fs.Duration("soak", 0, "run the soak alone, for so long")
	only := fs.String("only", "", "run only the checks whose name contains `text`")
	docs := fs.String("docs", "", "write the table into docs/reliability.md of the repository in this `folder`")
	if err := fs.Parse(args); err != nil {
		return err
	}
	list, section := checks(), "checks"
	if *soak > 0 {
		list, section = []check{soakFor(*soak)}, "soak"
	}
	if list = named(list, *only); len(list) == 0 {
		return fmt.Errorf("-only %q: no check has that in its name", *only)
	}
	if *docs != "" && *only != "" {
		return fmt.Errorf("-docs wants every check, and -only %q leaves some out", *only)
	}

	begin := time.Now()
	results := runAll(ctx, list, out)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	t := table{results, circumstances(ctx), time.Since(begin)}
	fmt.Fprintf(out, "\n%s", t.text())
	peers, _ := os.ReadFile(peersTable()) // there if that check has run
	_ = os.Remove(peersTable())
	if *docs != "" {
		path := filepath.Join(*docs, "docs", "reliability.md")
		if err := writeSection(path, section, t.markdown()); err != nil {
			return err
		}
		if len(peers) > 0 {
			if err := writeSection(path, "peers", string(peers)); err != nil {
				return err
			}
		}
	}
	if failed := t.failed(); len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

// runAll runs the checks in order. Checks for a single processor run side by side.
func runAll(ctx context.Context, list []check, out io.Writer) []result {
	results := make([]result, len(list))
	out = &oneByOne{w: out}
	processors := make(chan struct{}, runtime.GOMAXPROCS(0)) // one entry for each busy processor
	var running sync.WaitGroup
	for i, c := range list {
		takes := cap(processors)
		if c.single {
			takes = 1
		}
		for range takes {
			processors <- struct{}{}
		}
		running.Go(func() {
			title := fmt.Sprintf("[%*d/%d] %s", len(fmt.Sprint(len(list))), i+1, len(list), c.name)
			fmt.Fprintf(out, "%s\n", title)
			if ctx.Err() == nil {
				results[i] = c.run(ctx, func(far string) { fmt.Fprintf(out, "%s: %s\n", title, far) })
			}
			if ctx.Err() == nil {
				fmt.Fprintf(out, "%s: %s\n", title, results[i])
			}
			for range takes {
				<-processors
			}
		})
	}
	running.Wait()
	return results
}

// oneByOne is a writer for several goroutines: each Write is whole.
type oneByOne struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *oneByOne) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}

// named returns the checks whose name contains text.
func named(list []check, text string) (chosen []check) {
	for _, c := range list {
		if strings.Contains(c.name, text) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// circumstances returns the date, the commit and the machine of a run.
func circumstances(ctx context.Context) string {
	commit := "an unknown commit"
	if out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		commit = "commit " + strings.TrimSpace(string(out))
		if out, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output(); err == nil && len(out) > 0 {
			commit += " and changes"
		}
	}
	return fmt.Sprintf("%s, %s, %s on %s/%s, %d cores", time.Now().Format(time.DateOnly), commit,
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}
