package config

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/limiter"
	"github.com/limitpal/limitpal-go/retry"
)

// check fills in the defaults, and notes mistakes in values of the right type.
func (d *decoder) check(c *Config) {
	switch {
	case !d.has("routes"):
		d.bad("routes", "missing: there must be at least one route")
	case len(c.Routes) == 0:
		d.bad("routes", "must have at least one route")
	}
	for i := range c.Routes {
		d.written(&c.Routes[i], fmt.Sprintf("routes[%d]", i))
	}
	if c.Connection != nil && !d.has("connection.rate") {
		d.bad("connection.rate", `missing, such as "1MiB/s"`)
	}
	for path, value := range map[string]string{"listen": c.Listen, "admin": c.Admin, "log": c.Log} {
		if n := d.nodes[path]; n != nil && n.kind == text && value == "" {
			d.bad(path, "must not be empty; leave it out for its default")
		}
	}
	if n := d.nodes["max_client_connections"]; n != nil && n.kind == number && !d.wrong["max_client_connections"] && c.MaxClientConnections < 1 {
		d.bad("max_client_connections", "must be at least 1; leave it out for no bound")
	}
	c.fill()

	if reason := badListen(c.Listen, "8080"); reason != "" {
		d.bad("listen", reason)
	}
	if d.has("admin") && !d.wrong["admin"] {
		if reason := badListen(c.Admin, "9090"); reason != "" {
			d.bad("admin", reason)
		} else if sameListener(c.Listen, c.Admin) {
			d.badf("admin", "is the address of listen (%s), too", c.Listen)
		}
	}
	if c.AdminForce && c.Admin == "" && !d.meant["admin"] && !d.wrong["admin"] {
		d.bad("admin_force", "is of use only with admin")
	}
	if c.TrustedProxies < 0 || c.TrustedProxies > 16 {
		d.bad("trusted_proxies", "must be 0 to 16")
	}
	if c.MaxHeaderBytes < 4<<10 || c.MaxHeaderBytes > 16<<20 {
		d.bad("max_header_bytes", "must be 4KiB to 16MiB")
	}
	if !slices.Contains([]string{"text", "json", "off"}, c.Log) {
		d.bad("log", `must be "text", "json" or "off"`)
	}
	for i, path := range c.Exempt.Paths {
		c.Exempt.Paths[i] = withoutSlash(path)
		if reason := badPath(c.Exempt.Paths[i]); reason != "" {
			d.bad(fmt.Sprintf("exempt.paths[%d]", i), reason)
		}
	}
	if c.Connection != nil {
		if c.Connection.Rate > block*1e9 {
			d.bad("connection.rate", "must be at most 64GB/s")
		}
		if c.Connection.Burst < block {
			d.bad("connection.burst", "must be at least 64B")
		}
		d.lift("connection", c.Connection.bucket().Validate(), "RefillRate", "rate", "Capacity", "burst")
	}
	for i := range c.Routes {
		d.route(&c.Routes[i], fmt.Sprintf("routes[%d]", i))
	}
	d.twins(c.Routes)
}

// written makes the checks for which the file is needed, since a route has its defaults.
func (d *decoder) written(r *Route, at string) {
	if !d.has(at + ".path") {
		d.bad(at+".path", `missing, such as "/"`)
	}
	if !d.has(at + ".upstream") {
		d.bad(at+".upstream", `missing, such as "http://127.0.0.1:9000"`)
	}
	r.Path = withoutSlash(r.Path)
	counts := []string{"max_connections"}
	for name, l := range limitersOf(r) {
		limiter := at + "." + name
		if !d.has(limiter + ".rate") {
			d.bad(limiter+".rate", `missing, such as "100/m"`)
		}
		if d.has(limiter+".max_queue") && !d.has(limiter+".max_wait") && !d.meant[limiter+".max_wait"] {
			d.bad(limiter+".max_queue", "is of use only with max_wait; without it no request waits")
		}
		d.windowWritten(l, limiter)
		counts = append(counts, name+".burst", name+".max_queue")
		for key := range l.Tenants {
			tenant := entry(limiter+".tenants", key)
			d.burstWritten(l, tenant)
			if !d.has(tenant + ".rate") {
				d.bad(tenant+".rate", `missing, such as "100/m"`)
			}
			counts = append(counts, entry(name+".tenants", key)+".burst")
		}
	}
	if r.AddressLimiter != nil && r.Key.Header == "" && !d.wrong[at+".key"] && !d.wrong[at+".key.header"] {
		d.bad(at+".address_limiter", "is of use only with a key that is a header; with \"ip\", limiter counts addresses")
	}
	if r.InFlight != nil {
		counts = append(counts, "in_flight.max_queue")
		d.inFlightWritten(at + ".in_flight")
	}
	if r.Breaker != nil {
		for _, name := range breakerCounts {
			counts = append(counts, "breaker."+name)
		}
		d.breakerWritten(at + ".breaker")
	}
	if r.Retry != nil {
		counts = append(counts, "retry.attempts")
	}
	for _, name := range counts {
		n := d.nodes[at+"."+name]
		if n == nil || n.kind != number {
			continue
		}
		if v, err := strconv.Atoi(n.text); err == nil && v < 1 {
			d.bad(at+"."+name, "must be at least 1; leave it out for its default")
		}
	}
}

// windowWritten is written for what a limiter says of its windows.
func (d *decoder) windowWritten(l *Limiter, at string) {
	d.burstWritten(l, at)
	if d.has(at+".offset") && !l.FixedWindow && !d.wrong[at+".fixed_window"] {
		d.bad(at+".offset", "is of use only with fixed_window")
	}
}

// burstWritten is written for the burst of a limiter or of one of its tenants.
func (d *decoder) burstWritten(l *Limiter, at string) {
	if d.has(at+".burst") && l.FixedWindow {
		d.bad(at+".burst", "must be left out with fixed_window: all requests of a window may come at once")
	}
}

// inFlightWritten is written for an in_flight.
func (d *decoder) inFlightWritten(at string) {
	if !d.has(at + ".max") {
		d.bad(at+".max", "missing, such as 20")
	}
	if d.has(at+".max_queue") && !d.has(at+".max_wait") && !d.meant[at+".max_wait"] {
		d.bad(at+".max_queue", "is of use only with max_wait; without it no request waits")
	}
}

// withoutSlash returns path without a slash at the end, which means nothing.
func withoutSlash(path string) string {
	if len(path) > 1 && path != "//" {
		return strings.TrimSuffix(path, "/")
	}
	return path
}

// limitersOf yields the limiters of r with their names in the file.
func limitersOf(r *Route) iter.Seq2[string, *Limiter] {
	return func(yield func(string, *Limiter) bool) {
		if r.Limiter != nil && !yield("limiter", r.Limiter) {
			return
		}
		if r.AddressLimiter != nil {
			yield("address_limiter", r.AddressLimiter)
		}
	}
}

// longestKey is the number of bytes up to which enginehttp.Header returns a value as it is.
const longestKey = 256

// route checks one route.
func (d *decoder) route(r *Route, at string) {
	if d.has(at+".name") && strings.ContainsFunc(r.Name, func(c rune) bool { return !unicode.IsPrint(c) }) {
		d.bad(at+".name", "must be printable")
	}
	if reason := badHost(r.Host); reason != "" {
		d.bad(at+".host", reason)
	}
	if reason := badPath(r.Path); reason != "" {
		d.bad(at+".path", reason)
	}
	for name, l := range limitersOf(r) {
		d.lift(at+"."+name, l.limiter(l.Rate, l.Burst).Validate(), "RefillRate", "rate", "Capacity", "burst", "Max", "rate", "Per", "rate")
		for key, tenant := range l.Tenants {
			path := entry(at+"."+name+".tenants", key)
			if key == "" || len(key) > longestKey {
				d.badf(path, "a key must have 1 to %d bytes", longestKey)
			}
			d.lift(path, l.limiter(tenant.Rate, tenant.Burst).Validate(), "RefillRate", "rate", "Capacity", "burst", "Max", "rate", "Per", "rate")
		}
	}
	if f, most := r.InFlight, at+".in_flight.max"; f != nil && d.has(most) && !d.wrong[most] && (limiter.InFlight{Max: f.Max}).Validate() != nil {
		d.bad(most, "must be from 1 to 1073741824")
	}
	if r.Breaker != nil {
		d.breaker(r.Breaker, at+".breaker")
	}
	if r.Retry != nil {
		d.lift(at+".retry", r.Retry.policy().Validate(), "MaxAttempts", "attempts", "BaseDelay", "base_delay", "MaxDelay", "max_delay",
			"MaxElapsed", "max_elapsed")
	}
}

// twins notes a route that has the name of an earlier route, or the same host and path.
func (d *decoder) twins(routes []Route) {
	names, places := map[string]int{}, map[string]int{}
	for i, r := range routes {
		at := fmt.Sprintf("routes[%d]", i)
		if r.Path == "" {
			continue // a mistake already
		}
		place := r.Host + r.Path // a host has no slash
		if first, ok := places[place]; ok {
			d.badf(at+".path", "routes[%d] has the same host and path", first)
			continue
		}
		places[place] = i
		if first, ok := names[r.Name]; ok {
			d.badf(at+".name", "routes[%d] has the same name", first)
			continue
		}
		names[r.Name] = i
	}
}

// lift notes the mistakes in the policy of the stage at path. names are pairs of a field's name in
// the policy and in the file.
func (d *decoder) lift(at string, err error, names ...string) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return // nothing is wrong: Validate joins its errors
	}
	inFile := strings.NewReplacer(append(names, " (0 is the default)", "")...) // the file leaves such a field out
	for _, err := range joined.Unwrap() {
		var field, reason string
		switch err := err.(type) { //nolint:errorlint // Validate joins them and wraps none
		case *limiter.ConfigError:
			field, reason = err.Field, err.Reason
		case *breaker.ConfigError:
			field, reason = err.Field, err.Reason
		case *retry.ConfigError:
			field, reason = err.Field, err.Reason
		}
		path := at + "." + inFile.Replace(field)
		switch {
		case d.has(path):
			d.bad(path, inFile.Replace(reason))
		case d.wrong[path], d.meant[path]: // is missing, and is said to be
		case !d.wrong[at+".rate"] && !d.meant[at+".rate"]: // otherwise a default made of the rate is wrong, too
			d.bad(at, inFile.Replace(field+" "+reason))
		}
	}
}
