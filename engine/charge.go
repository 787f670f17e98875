package engine

import "github.com/limitpal/limitpal-go/engine/internal/guard"

// Charge takes n tokens of the key, whether they are there or not: for a call whose cost is known only when it has
// ended, such as the bytes of an answer or the tokens of a language model. Charge never refuses and never waits for
// tokens. The calls that come next wait, or are refused, until the bucket has made up for n. Callers that wait
// already wait longer, and are refused once they have waited for as long as they may.
//
// After Charge the bucket lacks at most ten times its capacity: what is above that is forgotten. Of a [Chain] the
// first key is charged. Without a limit, after Close, and if n is below 1, Charge does nothing; nor does it for a new
// key for which there is no room. Any goroutine may call Charge.
func (k Key) Charge(n int) {
	e, p := k.eng, &k.place
	if k.chain != nil && len(k.chain.links) > 0 {
		e, p = k.chain.links[0].eng, &k.chain.links[0].place
	}
	if n < 1 || !e.settings.Load().limited || e.ended.Load() {
		return
	}
	find := func(*guard.Cell) (*guard.Cell, error) { return e.find(p) }
	c, err := find(nil)
	if err != nil {
		return
	}
	if policy := c.Published.Policy(); !policy.Stale() {
		if !policy.HasLimit() || policy.Shares() && c.Published.Charge(e.system, policy, int64(n)) {
			return
		}
	}
	m := guard.Message{Kind: guard.Charge, Demand: guard.Demand{Tokens: int64(n)}, Request: e.behavior.Request()}
	_ = e.catchUp(c, &m)       // else the key is as it was before
	_ = e.command(c, &m, find) // an error says that the engine has ended or has no room for the key
}
