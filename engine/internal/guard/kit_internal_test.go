package guard

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
)

var (
	casesFlag = flag.Uint64("guard.cases", 3000, "how many random cases the properties of keys and of the sketch are tried with")
	seedFlag  = flag.Uint64("guard.seed", 0, "the one seed to try; 0 tries all cases")
)

// cases runs a property with as many seeds as the flag says, or with that of -guard.seed alone, and
// returns their number. If the property fails, cases prints the line that replays it.
func cases(t *testing.T, property func(seed uint64, r *rand.Rand) error) (n uint64) {
	t.Helper()
	first, last := uint64(1), *casesFlag
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	for seed := first; seed <= last; seed++ {
		if err := property(seed, rand.New(rand.NewPCG(seed, 0))); err != nil {
			t.Attr("failures", "1")
			t.Fatalf("%v\nreplay: go test ./engine/internal/guard -run '^%s$' -guard.seed=%d", err, t.Name(), seed)
		}
	}
	t.Attr("cases", fmt.Sprint(last-first+1))
	t.Attr("failures", "0")
	return last - first + 1
}

// settings is what engine.Config says of a policy.
type settings struct {
	Limiter limiter.Limiter
	Breaker *breaker.Policy
	Mailbox bool
	NoWait  bool
	Places  int64
}

// behaviorOf returns the behavior of keys with such settings.
func behaviorOf(t *testing.T, c settings) *Behavior {
	t.Helper()
	p := &Policy{
		Breaker: c.Breaker, Publish: !c.Mailbox, NoWait: c.NoWait, Places: c.Places, MaxWait: LongestWait, MaxQueue: 1024,
		Refuse: func(_ string, reason error, _ int64) error { return reason },
	}
	if c.Limiter != nil {
		var err error
		p.Limits, err = limiter.Compile(c.Limiter)
		require.NoError(t, err)
	}
	return New(p, false)
}

// policy returns the policy of every key.
func (b *Behavior) policy() *Policy { return b.current.Load().shared }
