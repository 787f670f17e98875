// Command instructions counts the processor's instructions per call: of the engine by name and by handle, and of a
// mutex for every key in a sync.Map.
//
//	go run ./bench/instructions
//
// Unlike a time, the count does not depend on the machine's caches and load. So a change to the usual path of a call
// can be judged on any machine. The count says nothing about processors that contend for a key; the study in package
// main of this module measures these.
//
// Valgrind's callgrind counts. One goroutine calls for one key; the guarded function is empty. The program runs itself
// with two numbers of calls and takes the difference, so that the beginning and the end of the process do not count.
// Where valgrind is not installed, the program says so and succeeds.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "instructions:", err)
		os.Exit(1)
	}
}

// run is the command, and with the flag -work the program that the command counts.
func run(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("instructions", flag.ContinueOnError)
	work := fs.String("work", "", "make the calls of this `row`, as the command has itself do")
	by := fs.String("by", "", "with -work: the `contender` that makes the calls")
	calls := fs.Int("calls", 0, "with -work: how `many`")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *work != "" {
		return perform(*work, *by, *calls)
	}
	valgrind, err := exec.LookPath("valgrind")
	if errors.Is(err, exec.ErrNotFound) {
		_, err = fmt.Fprintln(out, "instructions: skipped, valgrind is not installed (https://valgrind.org); nothing was counted")
		return err
	}
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return table(out, func(row, by string) (float64, error) { return perCall(valgrind, self, row, by) })
}
