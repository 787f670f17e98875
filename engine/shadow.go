package engine

import (
	"context"

	"github.com/limitpal/limitpal-go/engine/internal/guard"
	"github.com/limitpal/limitpal-go/limiter"
)

// decideInShadow is decide with Config.Shadow: it refuses a call only if its context or its engine has
// ended, or if the limit of its key cannot be used.
func (e *Engine) decideInShadow(ctx context.Context, p *place, d *guard.Demand, a *admission) error {
	err := e.askInShadow(ctx, p, d, a)
	if r, ok := err.(*Rejection); ok && r.Stage != "" { //nolint:errorlint // made just now
		e.countRefusal(p.key, &e.counters.ShadowRefused)
		*a = admission{shadowed: true}
		return nil
	}
	return err
}

// askInShadow is decide for an engine whose actors queue nothing. It counts nothing.
func (e *Engine) askInShadow(ctx context.Context, p *place, d *guard.Demand, a *admission) error {
	if e.settings.Load().bounded && d.Breaker {
		return e.askBounded(ctx, p, d, a)
	}
	policy, err := e.approach(p, d, a)
	if err != nil {
		return err
	}
	switch ruling, now, at, receipt := a.cell.Published.Pass(e.system, policy, d, 0); {
	case ruling == guard.Admitted:
		a.permit.Generation, a.receipt, a.at = receipt.Epoch, receipt, now
		return nil
	case ruling == guard.Limited && (d.Mode == limiter.Immediate || d.Hopeless(policy, now, at)):
		return e.refuse(p.key, limiter.ErrLimited, at)
	default:
		return e.consult(ctx, p, d, a, nil)
	}
}
