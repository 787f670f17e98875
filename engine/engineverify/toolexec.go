package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// toolexec is the first argument of this command when `go test -toolexec` runs this command in
// place of a tool.
const toolexec = "toolexec"

// guided returns the argument of -toolexec with which a fuzz target counts only the edges of this
// module's packages.
//
// By default Go counts the edges of nearly all packages in the binary, and reads every counter
// after each execution: more than 20,000 counters here, because the assertions of the tests import
// net/http. Reading the counters takes longer than most executions. And a new edge in such a
// package is no reason to keep an input.
func guided() string {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return fmt.Sprintf("%q %s", self, toolexec)
}

// runTool runs a tool of the go command. If the tool is the compiler, runTool leaves the counters
// out of packages that are not of this module.
func runTool(tool string, args []string) error {
	compiler := strings.TrimSuffix(filepath.Base(tool), ".exe") == "compile"
	if compiler {
		args = withoutCounters(args)
	}
	cmd := exec.Command(tool, args...) //nolint:noctx // ended by the go command
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if !compiler || !slices.Equal(args, []string{"-V=full"}) {
		return cmd.Run()
	}
	// The version differs from the plain compiler's, so that the go command caches the two outputs
	// apart.
	cmd.Stdout = nil
	version, err := cmd.Output()
	fmt.Printf("%s counters=ours\n", bytes.TrimSpace(version))
	return err
}

// withoutCounters returns the arguments of the compiler, without the argument for counters if the
// package is not of this module.
func withoutCounters(args []string) []string {
	if i := slices.Index(args, "-p"); i < 0 || i+1 == len(args) || strings.HasPrefix(args[i+1], "github.com/limitpal/limitpal-go") {
		return args
	}
	return slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "-d=libfuzzer" })
}
