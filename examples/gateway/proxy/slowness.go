package proxy

import (
	"net/http"
	"time"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// slowness is the Classify of a route whose breaker judges slow requests. The breaker takes the time
// of an attempt as the time of the upstream.
type slowness time.Duration // slow_after

// clientsTime is how long a body must have been awaited for the client to be blamed if the upstream
// fails before the end of the body, as in enginehttp.
const clientsTime = time.Second

// classify is enginehttp.DefaultClassify, but an attempt counts for nothing that is slow only
// because of the wait for the client's body or for one of max_connections. So neither slow clients
// nor a bound of the gateway open the breaker.
func (s slowness) classify(resp *http.Response, err error) engine.Outcome {
	outcome := enginehttp.DefaultClassify(resp, err)
	if resp == nil {
		return outcome
	}
	x := exchangeIn(resp.Request.Context())
	switch t := x.spent; {
	case outcome == engine.Success && t.total >= time.Duration(s) && t.total-t.foreign < time.Duration(s):
		return engine.Ignore
	case outcome == engine.Failure && x.upload != nil && !x.upload.whole.Load() && t.foreign >= clientsTime && 2*t.foreign >= t.total:
		return engine.Ignore // an enginehttp.Transport without a Classify sees that, too
	default:
		return outcome
	}
}
