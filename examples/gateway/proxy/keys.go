package proxy

import (
	"hash/maphash"
	"math/bits"
	"net/http"
	"sync/atomic"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// The names of a route's engines, which a Rejection has.
const (
	ofAddresses = "address"
	ofClients   = "client"
	ofUpstream  = "upstream"

	ofConnections = "connection" // of the limit below HTTP
)

// keys are the keys of a request: the address and the client, each with a limit, and the upstream,
// with breaker and retries. The engines decide about all keys together, so that a key that refuses
// costs the others nothing. The address comes first, because a client can make up many keys of its
// own: for a limit that is waited for, the requests of each address have a queue, and take turns.
//
// Keys are never changed, and any number of requests may use the same keys.
type keys struct {
	address string        // "" if no address matters
	client  string        // "" without a limiter of clients
	free    bool          // the path is exempt from limits
	none    bool          // there is no key, because the request is exempt and the upstream has no engine
	all     engine.Key    // a chain of the keys of all engines
	limits  []engine.Key  // those with a limiter that is not on trial
	room    [2]engine.Key // for limits
}

// recentKeys are the keys of the last requests of a route, a place for each hash: a client that
// asks again mostly finds its keys there, and nothing has to be made.
type recentKeys struct {
	seed   maphash.Seed
	places [1 << 10]atomic.Pointer[keys]
}

func (k *recentKeys) place(address, client string) *atomic.Pointer[keys] {
	h := maphash.String(k.seed, address) ^ bits.RotateLeft64(maphash.String(k.seed, client), 32)
	return &k.places[h%uint64(len(k.places))]
}

// keysOf returns the keys of a request whose path has this reading, or nil if no engine concerns
// the request.
func (r *route) keysOf(req *http.Request, reading string) *keys {
	if !r.guards() {
		return nil
	}
	var address, client string
	if r.addresses != nil || len(r.exempt.networks) > 0 {
		address = r.address(req)
	}
	if r.limits != nil {
		client = r.client(req)
	}
	free := r.exempt.path(req.URL.Path, reading)
	if free {
		address, client = "", ""
	}
	place := r.recent.place(address, client)
	k := place.Load()
	if k == nil || k.address != address || k.client != client || k.free != free {
		k = r.newKeys(address, client, free)
		place.Store(k)
	}
	if k.none {
		return nil
	}
	return k
}

// newKeys makes the keys of an address and a client; only that of the upstream if free says that
// the path is exempt.
func (r *route) newKeys(address, client string, free bool) *keys {
	k := &keys{address: address, client: client, free: free}
	k.limits = k.room[:0]
	var room [3]engine.Key
	each := room[:0]
	add := func(key engine.Key, limit *config.Limiter) {
		if each = append(each, key); !limit.Shadow {
			k.limits = append(k.limits, key)
		}
	}
	concerned := !free && !r.exempt.address(address)
	if r.addresses != nil && concerned {
		add(r.addresses.Key(address), r.config.AddressLimiter)
	}
	if r.limits != nil && concerned {
		add(r.limits.Key(client), r.config.Limiter)
	}
	if r.calls != nil {
		each = append(each, r.upstream)
	}
	switch len(each) {
	case 0:
		k.none = true
	case 1:
		k.all = each[0]
	default:
		k.all = engine.Chain(each[0], each[1:]...)
	}
	return k
}

// tell puts how much is left of a limit into the header of an answer: of the first limit if refused
// says that the address was refused, and else of the last.
func (k *keys) tell(h http.Header, refused bool) {
	switch {
	case k == nil || len(k.limits) == 0:
	case refused:
		enginehttp.Draft10.Tell(h, k.limits[0])
	default:
		enginehttp.Draft10.Tell(h, k.limits[len(k.limits)-1])
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
