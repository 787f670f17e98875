package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/limitpal/limitpal-go/bench/measure"
	"github.com/limitpal/limitpal-go/bench/record"
)

// elsewhere has a trial sampled by a process of its own: this command with the same arguments and the place of the trial in
// the plan.
func elsewhere(ctx context.Context, args []string, trials []*measure.Trial, emit func(record.Sample) error) func(*measure.Trial) error {
	return func(t *measure.Trial) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		place := slices.Index(trials, t)
		cmd := exec.CommandContext(ctx, self, slices.Concat(args, []string{"-trial", strconv.Itoa(place)})...)
		var text, trouble bytes.Buffer
		cmd.Stdout, cmd.Stderr = &text, &trouble
		if err := cmd.Run(); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%w: %s", err, strings.TrimSpace(trouble.String()))
		}
		results, err := record.Read(&text, t.Group)
		if err != nil {
			return err
		}
		for s := range results.Samples() {
			if err := emit(s); err != nil {
				return err
			}
		}
		return nil
	}
}

// one samples one trial and writes its samples to out.
func one(trials []*measure.Trial, place int, out io.Writer) error {
	if place >= len(trials) {
		return fmt.Errorf("-trial %d: the plan has %d", place, len(trials))
	}
	w, err := record.NewWriter(out, nil)
	if err != nil {
		return err
	}
	err = trials[place].Sample(w.Write)
	if err != nil {
		return errors.Join(err, errors.New("the samples above are incomplete"))
	}
	return nil
}
