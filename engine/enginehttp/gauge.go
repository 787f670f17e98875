package enginehttp

import (
	"net/http"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// gauge puts the rest of a key's limits into header fields. A gauge is not changed after it was
// made.
type gauge struct {
	eng      *engine.Engine
	fields   Fields
	chain    bool     // eng is that of a chain's first key: a refusal may be that of another key
	policies []policy // empty if clients are not to know
	policy   string   // the value of RateLimit-Policy
}

// newGauge returns the gauge for keys of eng that have limits.
func newGauge[S ~[]L, L limit](eng *engine.Engine, fields Fields, limits S) gauge {
	g := gauge{eng: eng, fields: fields}
	if fields != NoFields {
		g.policies = policiesOf(limits, nil)
	}
	if len(g.policies) > 0 && fields != XRateLimit {
		g.policy = string(terminology[fields].appendPolicy(nil, g.policies))
	}
	return g
}

// admitted puts the fields of an admitted request's key into h, unless h has such fields already.
func (g *gauge) admitted(h http.Header, key string, room []string) {
	if len(g.policies) == 0 || g.fields.told(h) {
		return
	}
	var readings [fewLimits]reading
	g.tell(h, read(readings[:0], g.eng, key, g.policies), room)
}

// refused appends the readings of a refused request's key. If the limiter refused, after is the
// time in seconds until the request may come again.
func (g *gauge) refused(to []reading, key string, limited bool, after int64) []reading {
	switch {
	case len(g.policies) == 0:
		return to
	case limited && len(g.policies) == 1 && !g.chain: // the refusal has the whole reading
		return append(to, reading{reset: after, wait: time.Duration(after) * time.Second})
	default:
		return read(to, g.eng, key, g.policies)
	}
}

// tell puts the fields into h and their values into room, and returns the rest of room.
func (g *gauge) tell(h http.Header, readings []reading, room []string) []string {
	return g.fields.tell(h, g.policies, g.policy, readings, room)
}

// violated returns the names of the limits that held a request up.
func (g *gauge) violated(readings []reading) []string {
	var names []string
	for i, r := range readings {
		if r.wait > 0 {
			names = append(names, g.policies[i].name)
		}
	}
	return names
}
