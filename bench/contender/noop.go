package contender

import "context"

// noOp calls fn and nothing else: what the harness itself costs.
func noOp() Contender {
	return Contender{
		Name: "no-op", Kind: Baseline,
		Cannot: "guards nothing",
		New:    func(Settings) (Guard, error) { return none{}, nil },
	}
}

type none struct{ partial }

func (none) Allow(Key) bool { return true }

func (none) Run(ctx context.Context, _ Key, fn func(context.Context) error) error { return fn(ctx) }
