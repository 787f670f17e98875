package peers

import (
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/sony/gobreaker/v2"
	"github.com/throttled/throttled/v2"
	"go.uber.org/ratelimit"
	"golang.org/x/time/rate"

	"github.com/limitpal/limitpal-go/bench/contender"
)

// Subject is a contender with what a study of calls does not need of it. What is nil it does not have.
type Subject struct {
	contender.Contender
	// Stamped makes a limit that is told the time.
	Stamped func(s contender.Settings, now func() time.Time) (Limit, error)
	// Counted makes a limit that takes several tokens at once. Unsigned says that it takes their number as a uint.
	Counted  func(contender.Settings) (Limit, error)
	Unsigned bool
	// Crowded makes a guard that forgets keys when it has more than a hundred, or within milliseconds.
	Crowded func(contender.Settings) (contender.Guard, error)
	// Callback opens a breaker that has the subject call back, and asks it for its state in that call.
	Callback func() error
	// Patient says that a wait cannot be cancelled.
	Patient bool
	// Parts are functions of the modules that the subject is made of.
	Parts []any
}

// Limit is one bucket.
type Limit struct {
	Take  func(n int64) bool
	Close func() error
}

// All returns ours and the peers, in the order of contender.All. The hand-written models of that package are no libraries.
func All() []Subject {
	var all []Subject
	for _, c := range contender.All() {
		if c.Kind == contender.Ours || c.Kind == contender.Peer {
			s := ways[c.Name]
			s.Contender = c
			all = append(all, s)
		}
	}
	return all
}

// ways are the subjects by name, without the contender itself.
var ways = map[string]Subject{
	"engine-mailbox":   ours("engine-mailbox"),
	"engine-published": ours("engine-published"),
	"engine-handle":    ours("engine-handle"),
	"x-time-rate":      {Stamped: rateStamped, Counted: rateCounted, Parts: []any{rate.NewLimiter}},
	"uber-ratelimit":   {Stamped: uberStamped, Patient: true, Parts: []any{ratelimit.New}},
	"go-limiter":       {Crowded: goLimiterCrowded, Parts: []any{memorystore.New}},
	"throttled":        {Stamped: throttledStamped, Counted: throttledCounted, Crowded: throttledCrowded, Parts: []any{throttled.PerSec}},
	"gobreaker":        {Callback: goBreakerCallback, Parts: []any{gobreaker.State.String}},
	"failsafe-go":      {Counted: failsafeCounted, Unsigned: true, Callback: failsafeCallback, Parts: []any{circuitbreaker.State.String}},
	"tower":            {Parts: []any{backoff.Permanent, gobreaker.State.String, rate.NewLimiter}},
}

// Modules are the modules that the subject is made of, with their versions, as "golang.org/x/time v0.16.0". They are read off
// the paths of the source files that were compiled, because a test binary does not list its modules. Ours is a folder, and
// has none.
func (s Subject) Modules() []string {
	var all []string
	for _, part := range s.Parts {
		f := runtime.FuncForPC(reflect.ValueOf(part).Pointer())
		file, _ := f.FileLine(f.Entry())
		before, after, ok := strings.Cut(file, "@")
		if !ok {
			all = append(all, f.Name()+" (version not known)")
			continue
		}
		version, _, _ := strings.Cut(after, "/")
		before = before[strings.LastIndex("/"+before, "/mod/")+len("/mod/")-1:]
		all = append(all, before+" "+version)
	}
	return all
}
