package engine

import (
	"context"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// decideInShadow is decide with Config.Shadow: it refuses a call only if its context or its engine has
// ended, or if the limit of its key cannot be used.
func (e *Engine) decideInShadow(ctx context.Context, p *place, d *guard.Demand, a *admission) error {
	err := e.askApart(ctx, p, d, a)
	if r, ok := err.(*Rejection); ok && r.Stage != "" && !guard.Planted("a refusal in shadow") { //nolint:errorlint // made just now
		e.countRefusal(p.key, &e.counters.ShadowRefused)
		*a = admission{shadowed: true}
		return nil
	}
	return err
}
