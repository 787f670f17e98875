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

// toolexec is the argument that makes this command what `go test -toolexec` runs in place of a tool.
const toolexec = "toolexec"

// guided is the argument of -toolexec with which a fuzz target counts the edges of our packages alone.
//
// Go counts those of nearly all packages in the binary, and reads every counter after each execution: more than 20,000 here, because the
// assertions of the tests bring net/http along. That takes longer than most executions do. And that an edge in there is new is no reason
// to keep an input.
func guided() string {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return fmt.Sprintf("%q %s", self, toolexec)
}

// runTool runs a tool of the go command.
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
	// The go command remembers what this compiler has made apart from what another has, because the versions differ.
	cmd.Stdout = nil
	version, err := cmd.Output()
	fmt.Printf("%s counters=ours\n", bytes.TrimSpace(version))
	return err
}

// withoutCounters are the arguments of the compiler, without the one that asks for counters if the package is not ours.
func withoutCounters(args []string) []string {
	if i := slices.Index(args, "-p"); i < 0 || i+1 == len(args) || strings.HasPrefix(args[i+1], "github.com/limitpal/limitpal-go") {
		return args
	}
	return slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "-d=libfuzzer" })
}
