package proxy

import (
	"net/http"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// The names of a route's engines, which a Rejection has.
const (
	ofAddresses = "address"
	ofClients   = "client"
	ofUpstream  = "upstream"
)

// keys are the keys of a request: the address and the client, each with a limit, and the upstream,
// with breaker and retries. The engines decide about all keys together, so that a key that refuses
// costs the others nothing. The address comes first, because a client can make up many keys of its
// own: for a limit that is waited for, the requests of each address have a queue, and take turns.
type keys struct {
	all    engine.Key   // a chain of each; the zero Key if there is none
	each   []engine.Key // in the order of the chain
	limits []engine.Key // those with a limiter
	told   int          // the index in limits of the key whose limit the answer tells
}

func (k *keys) add(key engine.Key) {
	if k.each == nil {
		k.each = make([]engine.Key, 0, 3)
	}
	k.each = append(k.each, key)
}

// tell puts how much is left of a limit into the header of an answer.
func (k *keys) tell(h http.Header) {
	if len(k.limits) > 0 {
		enginehttp.Draft10.Tell(h, k.limits[k.told])
	}
}

// refused has the answer tell the limit that refused.
func (k *keys) refused(by *engine.Rejection) {
	if by.Engine == ofAddresses {
		k.told = 0
	}
}

// short reports whether a limit has no token now.
func (k *keys) short() bool {
	for _, key := range k.limits {
		if s, known := key.Inspect(); known && s.Limits[0].Available < 1 {
			return true
		}
	}
	return false
}
