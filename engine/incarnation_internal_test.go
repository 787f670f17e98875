package engine

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

var casesFlag = flag.Uint64("engine.cases", 3000, "how many random cases the properties of keys and of the sketch are tried with")

// cases runs a property with as many seeds as the flag says, or with that of -engine.seed alone, and returns their number. It says how
// to replay the one that fails.
func cases(t *testing.T, property func(seed uint64, r *rand.Rand) error) (n uint64) {
	t.Helper()
	first, last := uint64(1), *casesFlag
	if f, ok := flag.Lookup("engine.seed").Value.(flag.Getter); ok && f.Get() != uint64(0) {
		first, _ = f.Get().(uint64)
		last = first
	}
	for seed := first; seed <= last; seed++ {
		if err := property(seed, rand.New(rand.NewPCG(seed, 0))); err != nil {
			t.Attr("failures", "1")
			t.Fatalf("%v\nreplay: go test ./engine -run '^%s$' -engine.seed=%d", err, t.Name(), seed)
		}
	}
	t.Attr("cases", fmt.Sprint(last-first+1))
	t.Attr("failures", "0")
	return last - first + 1
}

// incarnation is a key from its birth until it is forgotten, without the runtime around it: gate and state, and what was last said of
// them. Its actor leaves after every turn. What callers do at an open gate is done here likewise.
type incarnation struct {
	*keeper
	gate  gate
	state state
	left  bool // a state has been left behind
	next  actors.Next
	born  uint64       // the generation that it began with
	heir  *incarnation // nil as long as it is not forgotten
}

// bear makes key anew.
func bear(k *keeper, key string, now int64) *incarnation {
	in := &incarnation{keeper: k}
	in.next = k.Init(now, key, &in.gate, &in.state)
	in.left = !in.next.Clean
	in.state.key, in.born = key, in.gate.generation.Load()
	return in
}

func (in *incarnation) present() *state {
	if !in.left {
		in.Resume(in.state.key, &in.gate, &in.state)
	}
	return &in.state
}

// turn has m processed.
func (in *incarnation) turn(now int64, m *message) {
	if next := in.Receive(func() int64 { return now }, &in.gate, in.present(), m); !next.Same {
		in.next = next
		in.left = !next.Clean
	}
}

// wake brings the key to now, one timer after the other.
func (in *incarnation) wake(now int64) {
	for in.next.Wake <= now {
		in.next = in.Wake(in.next.Wake, &in.gate, in.present())
		in.left = !in.next.Clean
	}
}

// ask is a call that does not wait.
func (in *incarnation) ask(now, n int64, w way) answer {
	word := in.gate.word.Load()
	switch {
	case word < 0:
		r := request{Call: actors.NewCall[answer]()}
		in.turn(now, &message{
			kind: ask, n: n, mode: w != allowing, breaker: w == calling && in.hasBreaker, stays: true, until: actors.Never, req: &r, answers: r.Answers(),
		})
		return <-r.Answered()
	case len(in.limits) > 0:
		if at := in.limits[0].Ready(word, n, w != allowing); at > now {
			return answer{err: limiter.ErrLimited, at: at}
		}
		in.gate.word.Store(in.limits[0].After(word, now, n))
	}
	return answer{permit: breaker.Permit{Generation: in.gate.generation.Load()}}
}

// report is of a call that in let through. If in was forgotten in the period of the call, that period goes on in its heir.
func (in *incarnation) report(now int64, p breaker.Permit, o breaker.Outcome) {
	m := message{kind: report, permit: p, outcome: o}
	for period := p.Generation; in.heir != nil; in = in.heir {
		if in.gate.generation.Load() != period {
			return
		}
		period, m.reborn = in.heir.born, true
	}
	in.turn(now, &m)
}

// reset is Engine.Reset.
func (in *incarnation) reset(now int64) {
	in.sketch.pardon(in.state.key)
	r := request{Call: actors.NewCall[answer]()}
	in.turn(now, &message{kind: reset, req: &r})
}

// mayRetire is what the runtime asks before it forgets a key that it needs not spill, and then the key is gone.
func (in *incarnation) mayRetire(now int64) bool {
	return (!in.left || in.next.Forget <= now) && in.Retire(now, &in.gate)
}

// words and circuit are what the key is, wherever that stands; no turn is taken.
func (in *incarnation) words() []int64 {
	if word := in.gate.word.Load(); word >= 0 {
		words := make([]int64, max(1, len(in.limits)))
		words[0] = word
		return words
	}
	return slices.Clone(in.state.words)
}

func (in *incarnation) circuit() (c breaker.Circuit) {
	if in.left {
		return in.state.circuit
	}
	c.Resume(in.gate.generation.Load())
	return c
}

// look is Engine.Inspect.
func (in *incarnation) look(now int64) (s Snapshot) {
	in.inspect(now, &state{words: in.words(), circuit: in.circuit()}, &s)
	return s
}

// randomKeeper is one for keys with few tokens and a breaker that opens soon. Its time is in nanoseconds.
func randomKeeper(t *testing.T, r *rand.Rand) *keeper {
	bucket := limiter.TokenBucket{Capacity: 1 + r.IntN(4), RefillRate: limiter.Per(1, time.Duration(1+r.IntN(20)))}
	leaky := limiter.LeakyBucket{Capacity: 1 + r.IntN(4), LeakRate: limiter.Per(1, time.Duration(1+r.IntN(20)))}
	cfg := Config{
		Limiter:  []limiter.Limiter{bucket, bucket, leaky, limiter.All(bucket, leaky), nil}[r.IntN(5)],
		Dispatch: Dispatch(r.IntN(3) / 2),
		MaxWait:  NoWait,
	}
	if cfg.Limiter == nil || r.IntN(4) > 0 {
		cfg.Breaker = &breaker.Policy{
			FailureThreshold: 1 + r.IntN(3), RecoveryTimeout: time.Duration(1 + r.IntN(20)), HalfOpenSuccesses: 1 + r.IntN(2),
			HalfOpenProbes: 1 + r.IntN(2), ProbeTimeout: time.Duration(1 + r.IntN(20)), ForgetAfter: time.Duration(1 + r.IntN(60)),
		}
	}
	k, _, err := cfg.compile()
	require.NoError(t, err)
	return k
}
