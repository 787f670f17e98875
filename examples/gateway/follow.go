package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// follower has a server follow its file. A file that is wrong changes nothing.
type follower struct {
	file   string
	stderr io.Writer
	server *proxy.Server
	config *config.Config    // in force
	seen   string            // the content of the file at the last look, or the error of reading it
	shadow map[string]uint64 // of each route, the figure in the last line about limits on trial
}

// The times between two looks at the file, and between two lines about limits on trial.
const (
	interval = time.Second
	trial    = time.Minute
)

// follow looks at the file now and then, and reloads at each change and each hangup. follow returns
// nil when ctx ends, or the error with which the server ended.
func (f *follower) follow(ctx context.Context, hangups <-chan os.Signal) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	trials := time.NewTicker(trial)
	defer trials.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-f.server.Failed():
			return err
		case <-hangups:
			f.look(true)
		case <-tick.C:
			f.look(false)
		case <-trials.C:
			f.report()
		}
	}
}

// look reads the file, and reloads if the content differs from the last look, or if a reload was
// asked for.
func (f *follower) look(asked bool) {
	data, err := os.ReadFile(f.file)
	seen := string(data)
	if err != nil {
		err = fmt.Errorf("gateway: %w", err)
		seen = err.Error()
	}
	if seen == f.seen && !asked {
		return
	}
	f.seen = seen
	if err == nil {
		err = f.take(data)
	}
	if err != nil {
		f.refuse(err)
		return
	}
	fmt.Fprintf(f.stderr, "gateway: reloaded %s: %d routes\n", f.file, len(f.config.Routes))
	f.server.Logger().Info("configuration reloaded", "file", f.file, "routes", len(f.config.Routes))
}

// take puts the data of the file into force. On an error nothing has changed.
func (f *follower) take(data []byte) error {
	next, err := read(f.file, data, f.config.Next)
	if err != nil {
		return err
	}
	if err := f.server.Reload(next); err != nil {
		return err
	}
	f.config = next
	return nil
}

// refuse says why the file does not come into force.
func (f *follower) refuse(err error) {
	fmt.Fprintf(f.stderr, "%v\ngateway: %s not reloaded; the configuration before stays in force\n", err, f.file)
	mistakes := strings.Split(err.Error(), "\n")
	f.server.Logger().Warn("configuration not reloaded", "file", f.file, "mistakes", len(mistakes), "first", mistakes[0])
}

// report writes a line for each route with limits on trial that would have refused requests since
// the last line.
func (f *follower) report() {
	now := map[string]uint64{}
	for _, route := range f.server.Status() {
		before := f.shadow[route.Name]
		if route.Shadow < before { // the engines are new
			before = 0
		}
		if now[route.Name] = route.Shadow; route.Shadow > before {
			f.server.Logger().Info("limit on trial", "route", route.Name, "would_refuse", route.Shadow-before, "in", trial.String())
		}
	}
	f.shadow = now
}
