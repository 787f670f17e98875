// Gateway is a reverse proxy with a limiter for each client, and a breaker and retries around each
// upstream.
//
//	go run ./examples/gateway                              a demonstration, ten seconds
//	go run ./examples/gateway -config gateway.json         serves until it is stopped
//	go run ./examples/gateway -config gateway.json -check  describes the file, or lists its mistakes
//
// The gateway reads the file again when the file changes, and on SIGHUP.
//
// Begin with gateway.json beside this file. schema.json describes the fields of a configuration.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/limitpal/limitpal-go/examples/gateway/admin"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
	"github.com/limitpal/limitpal-go/examples/gateway/demo"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

//go:embed schema.json
var schema string

// The exit codes.
const (
	good    = 0
	invalid = 1 // the file has mistakes, or the gateway could not serve
	misused = 2 // the flags
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run does as args say, until that is done, ctx ends or a signal comes, and returns the exit code.
func run(ctx context.Context, args []string, stdout *os.File, stderr io.Writer) int {
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("config", "", "serve as this `file` says, also when the file changes, or on SIGHUP (default: a demonstration)")
	check := flags.Bool("check", false, "do not serve: check the file of -config and print what it means")
	wanted := flags.Bool("schema", false, "print the JSON Schema of the file")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return good
	case err != nil:
		return misused
	case flags.NArg() > 0:
		return misuse(stderr, flags, fmt.Sprintf("what is %q?", flags.Arg(0)))
	case *wanted && (*file != "" || *check):
		return misuse(stderr, flags, "-schema stands alone")
	case *check && *file == "":
		return misuse(stderr, flags, "-check needs -config")
	case *wanted:
		_, _ = io.WriteString(stdout, schema)
		return good
	}
	if err := act(ctx, *file, *check, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return invalid
	}
	return good
}

// act runs the demonstration if there is no file. Otherwise act serves as the file says, or checks
// the file.
func act(ctx context.Context, file string, check bool, stdout *os.File, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, endings(file)...)
	defer stop()
	if file == "" {
		context.AfterFunc(ctx, stop) // so that a second signal ends the program at once
		return demo.Run(ctx, stdout, begin)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	cfg, err := read(file, data, config.Load)
	switch {
	case err != nil:
		return err
	case check:
		describe(stdout, cfg)
		return nil
	}
	return serve(ctx, stop, &follower{file: file, seen: string(data), config: cfg, stderr: stderr})
}

// endings returns the signals that end the program with a drain. SIGHUP, which comes when a
// terminal closes, ends the demonstration, unless the program was started to outlive its terminal.
func endings(file string) []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if file == "" && !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

func misuse(stderr io.Writer, flags *flag.FlagSet, reason string) int {
	fmt.Fprintln(stderr, "gateway:", reason)
	flags.Usage()
	return misused
}

// read makes a configuration of the data of a file. An error has one line for each mistake, in the
// form of a compiler.
func read(file string, data []byte, load func([]byte) (*config.Config, error)) (*config.Config, error) {
	cfg, err := load(data)
	mistakes, ok := errors.AsType[config.Mistakes](err)
	if !ok {
		return cfg, err
	}
	lines := make([]error, len(mistakes))
	for i, m := range mistakes {
		lines[i] = fmt.Errorf("%s:%w", file, m)
	}
	return nil, errors.Join(lines...)
}

// serve serves, as f says, until ctx ends, and then until the running requests have ended or their
// time is up. In between, serve calls stop, so that a second signal ends the program at once.
func serve(ctx context.Context, stop context.CancelFunc, f *follower) error {
	signal.Ignore(syscall.SIGPIPE) // the gateway goes on if nobody reads the log any more
	hangups := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(hangups)
	}
	var err error
	if f.server, err = proxy.Start(f.config, f.stderr); err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	fmt.Fprintf(f.stderr, "gateway: %d routes on %s\n", len(f.config.Routes), f.server.URL())
	drain, end, err := shown(f)
	if err == nil {
		err = f.follow(ctx, hangups)
	}
	drain()
	if err == nil {
		stop()
		fmt.Fprintf(f.stderr, "gateway: stopping, within %v; again to stop now\n", f.config.Shutdown)
	}
	closing, cancel := context.WithTimeout(context.Background(), time.Duration(f.config.Shutdown))
	defer cancel()
	err = errors.Join(err, f.server.Close(closing))
	end() // later, so that operators see the drain, and the last events
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	return nil
}

// shown shows the gateway on the admin address, if the file has one. drain says there that the
// gateway is stopping, and end ends the address; both may be called after an error.
func shown(f *follower) (drain, end func(), err error) {
	nothing := func() {}
	if f.config.Admin == "" {
		return nothing, nothing, nil
	}
	a, err := admin.Start(f.config.Admin, f.config.AdminForce, f.server, f.server.Logger())
	if err != nil {
		return nothing, nothing, err
	}
	fmt.Fprintf(f.stderr, "gateway: admin on %s\n", a.URL())
	return a.Drain, a.Close, nil
}
