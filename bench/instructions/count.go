package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"text/tabwriter"
)

// The numbers of calls, and how often each is counted.
const (
	few  = 20_000
	many = 120_000
	// times is how often each length is counted. The least counts: now and then another thread of the runtime has work.
	times = 3
)

// The contenders of the table's columns.
const (
	byName   = "engine-published"
	byHandle = "engine-handle"
	mutex    = "per-key-mutex"
)

// table counts each row and writes the table. perCall returns the instructions of one call.
func table(out io.Writer, perCall func(row, by string) (float64, error)) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "instructions per call\tby name\tby handle\tper-key mutex\tby name, of it\tby handle, of it")
	for _, r := range rows {
		var n [3]float64
		for i, by := range []string{byName, byHandle, mutex} {
			var err error
			if n[i], err = perCall(r.name, by); err != nil {
				return err
			}
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f\n", r.name, n[0], n[1], n[2], n[0]/n[2], n[1]/n[2])
	}
	return w.Flush()
}

// perCall counts the instructions of one call of a row.
func perCall(valgrind, self, row, by string) (float64, error) {
	least := func(calls int) (n int, err error) {
		for i := range times {
			counted, err := count(valgrind, self, row, by, calls)
			if err != nil {
				return 0, err
			}
			if i == 0 || counted < n {
				n = counted
			}
		}
		return n, nil
	}
	short, err := least(few)
	if err != nil {
		return 0, err
	}
	long, err := least(many)
	return float64(long-short) / (many - few), err
}

var collected = regexp.MustCompile(`Collected : (\d+)`)

// count counts the instructions of a whole process.
func count(valgrind, self, row, by string, calls int) (int, error) {
	var said bytes.Buffer
	cmd := exec.Command(valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null",
		self, "-work", row, "-by", by, "-calls", strconv.Itoa(calls))
	// One thread runs the calls, and nothing stops it.
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", cmd, err, said.String())
	}
	found := collected.FindSubmatch(said.Bytes())
	if found == nil {
		return 0, fmt.Errorf("%s does not say how many instructions it has counted\n%s", cmd, said.String())
	}
	return strconv.Atoi(string(found[1]))
}
