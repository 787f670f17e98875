package config

import (
	"math"
	"time"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// Route says where the requests of one host and path go, and within which bounds. A stage that the
// file leaves out is off; {} is a stage with its defaults. If several routes fit a request, a route
// with a host comes before a route without, then the longest path decides.
type Route struct {
	// Name is the name of the route in logs. Default: host and path.
	Name string `json:"name"`
	// Host is the host of the request, without a port, in lower case; an IPv6 address in canonical
	// form (RFC 5952), without brackets. Default: any.
	Host string `json:"host"`
	// Path is the beginning of the path: "/api" is /api and every path below /api/. Path must be
	// given. A "/" at the end means nothing.
	Path string `json:"path"`
	// Upstream is the server that answers: a URL with scheme http or https, and perhaps a path,
	// which is put before the path of the request. Upstream must be given.
	Upstream Upstream `json:"upstream"`
	// StripPrefix takes Path off the path of the request to the upstream. The upstream has Path in
	// X-Forwarded-Prefix, and Path is put before the path of a Location in its answers. Default
	// false.
	StripPrefix bool `json:"strip_prefix"`
	// Key says how Limiter tells clients apart: "ip", by address, with IPv6 by /64; or {"header":
	// "X-API-Key"}, by the value of a field. Requests without the field count as one client; a
	// request with several lines of the field is answered 400. A client chooses the values that it
	// sends, and new values have new limits: unless a key is verified, it bounds honest clients
	// only, and AddressLimiter must bound the others. Default "ip".
	Key Key `json:"key"`
	// Limiter bounds the requests of each key.
	Limiter *Limiter `json:"limiter"`
	// AddressLimiter also bounds the requests of each address, before Limiter. AddressLimiter is of
	// use if Key is a header.
	AddressLimiter *Limiter `json:"address_limiter"`
	// Breaker stops calling an upstream that keeps failing. Each route has a breaker of its own.
	Breaker *Breaker `json:"breaker"`
	// InFlight bounds the requests that are with the upstream at the same time.
	InFlight *InFlight `json:"in_flight"`
	// Retry sends requests again that may be sent twice.
	Retry *Retry `json:"retry"`
	// Timeout is how long the upstream may be silent in each attempt, from the beginning of the
	// attempt to the header of the answer. The time in which more of the request's body is awaited
	// from the client does not count, and begins the time anew. The body of an answer may take any
	// time. Default 30 s.
	Timeout Duration `json:"timeout"`
	// MaxConnections is the largest number of connections to the upstream, websockets included.
	// Beyond that number a request waits for a connection as long as Timeout, and is then answered
	// 503. Default: no bound.
	MaxConnections int `json:"max_connections"`
}

// Limiter bounds the requests of each key with a token bucket, or in windows.
type Limiter struct {
	// Rate is the number of requests in the long run, "100/m". Rate must be given.
	Rate Rate `json:"rate"`
	// Burst is the number of requests that may come at once. Default: the number in Rate, so 100
	// for "100/m".
	Burst int `json:"burst"`
	// FixedWindow counts the requests of each window alone, as quotas do: "1000/h" are 1000 from the
	// full hour to the next, "10000/24h" 10,000 from midnight to midnight UTC. Windows are counted from
	// the Unix epoch. Then there is no Burst, also not for Tenants. Default false: a token bucket.
	FixedWindow bool `json:"fixed_window"`
	// Offset is how much later each window begins: "5h" for days that begin at 5:00 UTC. Default 0.
	Offset Duration `json:"offset"`
	// MaxWait is how long a request may wait for its turn. A request that would have to wait longer
	// is refused at once. Default: no request waits.
	MaxWait Duration `json:"max_wait"`
	// MaxQueue is the number of requests of one key that may wait. If Limiter stands beside an
	// AddressLimiter, MaxQueue of Limiter counts for each address alone. Default 1024.
	MaxQueue int `json:"max_queue"`
	// Shadow puts the limit on trial: no request is refused and none waits, and no answer tells of
	// the limit. Each minute the log has the number of requests that the limit would have refused.
	// Default false.
	Shadow bool `json:"shadow"`
	// Tenants are limits of single keys in place of Rate and Burst, by the key: the value of the
	// field, or the address. A key has 256 bytes at most. Default: none.
	Tenants map[string]Tenant `json:"tenants"`
}

// InFlight bounds the requests of a route that are with its upstream at the same time, until the last byte of the
// answer or the end of a websocket. Beyond the bound a request is answered 503, at once or after MaxWait.
type InFlight struct {
	// Max is the largest number of requests. Max must be given.
	Max int `json:"max"`
	// MaxWait is how long a request may wait until another one has ended. Default: no request waits.
	MaxWait Duration `json:"max_wait"`
	// MaxQueue is the number of requests that may wait; with a limiter, of each client. Default 1024.
	MaxQueue int `json:"max_queue"`
}

// Tenant is the limit of one key.
type Tenant struct {
	// Rate is the number of requests in the long run, "1000/m". Rate must be given.
	Rate Rate `json:"rate"`
	// Burst is the number of requests that may come at once. Default: the number in Rate.
	Burst int `json:"burst"`
}

// Retry sends requests again that may be sent twice. Defaults as in retry.Policy.
type Retry struct {
	// Attempts is the largest number of attempts, the first included. Default 3.
	Attempts int `json:"attempts"`
	// BaseDelay is the longest wait before the second attempt, and doubles for each further
	// attempt. Default 100 ms.
	BaseDelay Duration `json:"base_delay"`
	// MaxDelay is the longest wait before any attempt, and the longest Retry-After that is heeded.
	// Default 5 s, or base_delay if that is larger.
	MaxDelay Duration `json:"max_delay"`
	// MaxElapsed is how long after the beginning of the first attempt another attempt may begin.
	// Default: no bound.
	MaxElapsed Duration `json:"max_elapsed"`
}

func (r *Route) fill() {
	r.Name = or(r.Name, r.Host+r.Path)
	r.Timeout = or(r.Timeout, Duration(30*time.Second))
	for _, l := range []*Limiter{r.Limiter, r.AddressLimiter} {
		if l != nil {
			l.Burst = or(l.Burst, int(l.Rate.Count))
			l.MaxQueue = or(l.MaxQueue, 1024)
			for name, tenant := range l.Tenants {
				tenant.Burst = or(tenant.Burst, int(tenant.Rate.Count))
				l.Tenants[name] = tenant
			}
		}
	}
	if r.Breaker != nil {
		r.Breaker.fill(r.Timeout)
	}
	if r.InFlight != nil {
		r.InFlight.MaxQueue = or(r.InFlight.MaxQueue, 1024)
	}
	if t := r.Retry; t != nil {
		// As in retry.Policy, each default gives way to the other field.
		base, longest := Duration(100*time.Millisecond), Duration(5*time.Second)
		if t.BaseDelay == 0 && t.MaxDelay > 0 {
			base = min(base, t.MaxDelay)
		}
		t.Attempts, t.BaseDelay = or(t.Attempts, 3), or(t.BaseDelay, base)
		t.MaxDelay = or(t.MaxDelay, max(longest, t.BaseDelay))
	}
}

// Engine returns the configuration of an engine that limits requests, keyed by client. A request
// takes one token, however often it is sent to the upstream.
func (l Limiter) Engine() engine.Config {
	c := engine.Config{Limiter: l.limiter(l.Rate, l.Burst), PerCall: true, MaxWait: engine.NoWait, MaxQueue: l.MaxQueue, Shadow: l.Shadow}
	if l.MaxWait > 0 {
		c.MaxWait = time.Duration(l.MaxWait)
	}
	if len(l.Tenants) > 0 {
		c.LimiterFor = func(key string) limiter.Limiter {
			if tenant, ok := l.Tenants[key]; ok {
				return l.limiter(tenant.Rate, tenant.Burst)
			}
			return nil // for Limiter
		}
	}
	return c
}

// limiter returns the limit of a key, which may be a tenant.
func (l Limiter) limiter(rate Rate, burst int) limiter.Limiter {
	if l.FixedWindow {
		return limiter.FixedWindow{Max: int(rate.Count), Per: rate.Per, Offset: time.Duration(l.Offset)}
	}
	return limiter.TokenBucket{Capacity: burst, RefillRate: rate.Limit()}
}

// Engine returns the configuration of an engine for the calls of the upstream, or false if the
// route has neither breaker, nor a bound on its requests in flight, nor retries.
func (r Route) Engine() (engine.Config, bool) {
	var c engine.Config
	if r.Breaker != nil {
		c.Breaker = new(r.Breaker.policy())
	}
	if r.Retry != nil {
		c.Retry = new(r.Retry.policy())
	}
	if f := r.InFlight; f != nil {
		c.Concurrency, c.MaxWait, c.MaxQueue = limiter.InFlight{Max: f.Max}, engine.NoWait, f.MaxQueue
		if f.MaxWait > 0 {
			c.MaxWait = time.Duration(f.MaxWait)
		}
	}
	return c, c.Breaker != nil || c.Concurrency != nil || c.Retry != nil
}

func (t Retry) policy() retry.Policy {
	return retry.Policy{
		MaxAttempts: t.Attempts, BaseDelay: time.Duration(t.BaseDelay), MaxDelay: time.Duration(t.MaxDelay),
		MaxElapsed: time.Duration(t.MaxElapsed),
	}
}

// block is the number of bytes for a token of engine/enginenet.
const block = 64

// Engine returns the configuration of an engine that paces connections. A token is a block of
// engine/enginenet.
func (c Connection) Engine() engine.Config {
	return engine.Config{Limiter: c.bucket(), IdleAfter: 10 * time.Second}
}

func (c Connection) bucket() limiter.TokenBucket {
	return limiter.TokenBucket{
		Capacity:   int(min(int64(c.Burst)/block, math.MaxInt32)),
		RefillRate: limiter.Per(int64(c.Rate), block*time.Second),
	}
}
