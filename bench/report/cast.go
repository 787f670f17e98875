package report

import (
	"slices"
	"sync"

	"github.com/limitpal/limitpal-go/bench/contender"
)

// The contenders that sentences and tables single out.
const (
	ours     = "engine-published"
	mailbox  = "engine-mailbox"
	handle   = "engine-handle"
	mutex    = "per-key-mutex"
	textbook = "textbook-actor"
	tower    = "tower"
	failsafe = "failsafe-go"
	noOp     = "no-op"
	floor    = "floor"
)

// Baseline is the contender to which ratios are given unless the caller names another.
const Baseline = mutex

// contenders are all contenders in their order.
var contenders = sync.OnceValue(contender.All)

// find is the contender of a name. One that has left the study since it was recorded counts as a model that does not have
// the whole pipeline.
func find(name string) contender.Contender {
	if i := place(name); i < len(contenders()) {
		return contenders()[i]
	}
	return contender.Contender{Name: name, Kind: contender.Model}
}

// place is the position of a contender in the study's order; unknown ones come last.
func place(name string) int {
	i := slices.IndexFunc(contenders(), func(c contender.Contender) bool { return c.Name == name })
	if i < 0 {
		return len(contenders())
	}
	return i
}

// isOurs reports whether a contender is this module's engine.
func isOurs(name string) bool { return find(name).Kind == contender.Ours }

// complete reports whether a contender is a rival that has every stage of the pipeline.
func complete(name string) bool { return rival(name) && find(name).Does.Has(contender.Pipeline) }

// rival reports whether a contender is neither ours nor a baseline, and looks its keys up as engine-published does.
func rival(name string) bool {
	c := find(name)
	return (c.Kind == contender.Model || c.Kind == contender.Peer) && !c.KnownKeys
}

// kindName says what a kind of contender is, for keys and tables.
func kindName(k contender.Kind) string {
	switch k {
	case contender.Baseline:
		return "baseline"
	case contender.Ours:
		return "this module"
	case contender.Peer:
		return "library"
	default:
		return "written by hand"
	}
}
