package enginehttp

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// Fields says in which header fields a [Handler] tells a client how much is left of its limit. The
// zero Fields is Draft10.
type Fields uint8

const (
	// Draft10 is RateLimit-Policy and RateLimit as in draft-ietf-httpapi-ratelimit-headers-10, with
	// one item for each limit:
	//
	//	RateLimit-Policy: "default";q=10;w=60
	//	RateLimit: "default";r=7;t=1
	//
	// q is the capacity, and w the time in which an empty bucket fills, in seconds, rounded up: of a
	// limiter.FixedWindow Max and Per. r is the number of whole tokens that are left (for a leaky
	// bucket, of free places). t is the time, in seconds, rounded up, until there is one token more,
	// for a FixedWindow until the window ends, and 0 if no token will come; if r is 0, t is the time
	// until a request is admitted behind all that wait. A single limit has
	// the name "default", the limits of a limiter.All have the names "limit-1", "limit-2" and so
	// on. RateLimit is absent if nothing is known of the key, as after the engine was closed.
	// [ParseRateLimit] reads RateLimit.
	Draft10 Fields = iota
	// XRateLimit is X-RateLimit-Limit, X-RateLimit-Remaining and X-RateLimit-Reset: the capacity, r
	// and t as above, of the limit that holds a request up the longest or, if no limit does, of the
	// limit with the least left.
	XRateLimit
	// NoFields means no such fields. Retry-After is sent all the same.
	NoFields
)

// String returns the name of the constant.
func (f Fields) String() string {
	switch f {
	case Draft10:
		return "Draft10"
	case XRateLimit:
		return "XRateLimit"
	case NoFields:
		return "NoFields"
	default:
		return fmt.Sprintf("Fields(%d)", uint8(f))
	}
}

// Tell puts into h how much is left of the limit of k, in fields of the kind f, as a [Handler] does
// for the answers of Next. The limit of a chain is that of its first key. Tell puts nothing if the
// engine has no limiter, or if h has fields of the kind f already. Tell is for handlers that ask an
// engine themselves, such as a reverse proxy whose [Transport] has a Chain. Any goroutine may call
// Tell, as far as nobody else uses h.
func (f Fields) Tell(h http.Header, k engine.Key) {
	for eng := range k.Engines() {
		var few [fewLimits]policy
		var readings [fewLimits]reading
		limits, err := k.Limits()
		if err != nil || f == NoFields { // with an error, the call had it
			return
		}
		if policies := policiesOf(limits, few[:0]); len(policies) > 0 && !f.told(h) {
			f.tell(h, policies, "", read(readings[:0], eng, k.String(), policies), make([]string, mostFields))
		}
		return
	}
}

// terms are the names of a draft's fields, in the form that http.Header has, and of their
// parameters.
type terms struct {
	policy, quota, window   string // the field that never changes
	limit, remaining, reset string // the field that does
}

// A later draft is one more row: draft 11 has other names for r and t.
var terminology = [...]terms{
	Draft10: {"Ratelimit-Policy", "q", "w", "Ratelimit", "r", "t"},
}

const (
	xLimit     = "X-Ratelimit-Limit"
	xRemaining = "X-Ratelimit-Remaining"
	xReset     = "X-Ratelimit-Reset"
)

// policy is one limit.
type policy struct {
	name     string
	capacity int64
	interval time.Duration // between two tokens
	window   time.Duration // in which an empty bucket fills
}

// reading is the state of a key's limit for a client.
type reading struct {
	remaining int64         // whole tokens
	reset     int64         // seconds until there is one more
	wait      time.Duration // until a request would be admitted
}

const (
	mostFields = 3 // of a kind of Fields
	fewLimits  = 4 // up to this number, limits are read without an allocation
)

// largest is the largest Integer of RFC 9651.
const largest = 999_999_999_999_999

// limit is a limiter.Limit.
type limit interface {
	Capacity() int
	Interval() time.Duration
	Burst() time.Duration
}

// policiesOf appends the limits.
func policiesOf[S ~[]L, L limit](limits S, to []policy) []policy {
	for i, limit := range limits {
		p := policy{name: "default", capacity: int64(limit.Capacity()), interval: limit.Interval(), window: limit.Burst()}
		if len(limits) > 1 {
			p.name = "limit-" + strconv.Itoa(i+1)
		}
		to = append(to, p)
	}
	return to
}

// read appends one reading for each limit of key, or no reading if nothing is known of key.
func read(to []reading, eng *engine.Engine, key string, policies []policy) []reading {
	s, _ := eng.Inspect(key) // without limits if key is not known
	if len(s.Limits) != len(policies) {
		return to // the limits are changing
	}
	for i, limit := range s.Limits {
		to = append(to, policies[i].reading(limit.Available, limit.Wait, limit.Ends))
	}
	return to
}

// reading returns the reading of a limit with so many tokens available, for which a request would
// wait so long. A window ends after ends; for other limits ends is 0.
func (p *policy) reading(available float64, wait, ends time.Duration) reading {
	whole := math.Floor(available)
	r := reading{remaining: int64(whole), wait: wait}
	switch {
	case r.remaining <= 0:
		r.reset = seconds(wait)
	case r.remaining < p.capacity && ends > 0:
		r.reset = seconds(ends)
	case r.remaining < p.capacity:
		r.reset = seconds(time.Duration(math.Round((whole + 1 - available) * float64(p.interval))))
	}
	return r
}

// told reports whether h has fields of the kind f.
func (f Fields) told(h http.Header) bool {
	if f == XRateLimit {
		return h[xLimit] != nil || h[xRemaining] != nil || h[xReset] != nil
	}
	t := &terminology[f]
	return h[t.policy] != nil || h[t.limit] != nil
}

// put sets a field of h, keeps the value in the first place of room, and returns the rest of room.
func put(h http.Header, name, value string, room []string) []string {
	room[0] = value
	h[name] = room[:1:1]
	return room[1:]
}

// tell puts the fields into h and their values into room, and returns the rest of room. policy is
// the value of RateLimit-Policy if that is known, and else empty.
func (f Fields) tell(h http.Header, policies []policy, policy string, readings []reading, room []string) []string {
	switch {
	case len(policies) == 0:
		return room
	case f == XRateLimit:
		return tellTightest(h, policies, readings, room)
	}
	t := &terminology[f]
	var space [192]byte // for both values, so that they are one string
	text := space[:0]
	if policy == "" {
		text = t.appendPolicy(text, policies)
	}
	n := len(text)
	for i, r := range readings {
		text = appendItem(text, n, policies[i].name, t.remaining, r.remaining, t.reset, r.reset)
	}
	all := string(text)
	if policy == "" {
		policy = all[:n]
	}
	room = put(h, t.policy, policy, room)
	if len(readings) == 0 {
		return room
	}
	return put(h, t.limit, all[n:], room)
}

// appendPolicy appends the value of RateLimit-Policy.
func (t *terms) appendPolicy(b []byte, policies []policy) []byte {
	begin := len(b)
	for _, p := range policies {
		b = appendItem(b, begin, p.name, t.quota, p.capacity, t.window, seconds(p.window))
	}
	return b
}

// tellTightest is tell for XRateLimit.
func tellTightest(h http.Header, policies []policy, readings []reading, room []string) []string {
	if len(readings) == 0 {
		return room
	}
	tightest := 0
	for i, r := range readings {
		if best := readings[tightest]; r.wait > best.wait || r.wait == best.wait && r.remaining < best.remaining {
			tightest = i
		}
	}
	room = put(h, xLimit, strconv.FormatInt(policies[tightest].capacity, 10), room)
	room = put(h, xRemaining, strconv.FormatInt(readings[tightest].remaining, 10), room)
	return put(h, xReset, strconv.FormatInt(readings[tightest].reset, 10), room)
}

// appendItem appends a member of a List of RFC 9651 that begins at b[begin:]: a String with two
// parameters that are Integers. The name must need no escapes.
func appendItem(b []byte, begin int, name, first string, x int64, second string, y int64) []byte {
	if len(b) > begin {
		b = append(b, ", "...)
	}
	b = append(append(append(b, '"'), name...), '"')
	b = append(append(append(b, ';'), first...), '=')
	b = strconv.AppendInt(b, min(x, largest), 10)
	b = append(append(append(b, ';'), second...), '=')
	return strconv.AppendInt(b, min(y, largest), 10)
}

// seconds returns d in whole seconds, rounded up.
func seconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return s
}
