package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
)

// describe prints the meaning of a configuration, with all defaults.
func describe(to io.Writer, c *config.Config) {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	line := func(cells ...string) { fmt.Fprintln(t, strings.TrimRight(strings.Join(cells, "\t"), "\t")) }
	line("listen", c.Listen)
	line("admin", adminOf(c))
	line("trusted proxies", fmt.Sprint(c.TrustedProxies))
	line("timeouts", fmt.Sprintf("header %v, request %s, answer %s, idle %v, stall %v, half-closed %v",
		c.Timeouts.ReadHeader, bound(c.Timeouts.Read), bound(c.Timeouts.Write), c.Timeouts.Idle, c.Timeouts.Stall, c.Timeouts.HalfClosed))
	line("header", fmt.Sprintf("at most %v", c.MaxHeaderBytes))
	line("connections", connectionsOf(c))
	rate := "unbounded"
	if b := c.Connection; b != nil {
		rate = fmt.Sprintf("%v, burst %v", b.Rate, b.Burst)
	}
	line("each connection", rate)
	line("access log", c.Log)
	line("shutdown", "within "+c.Shutdown.String())
	line("exempt", exemptOf(c.Exempt))
	for _, r := range c.Routes {
		line()
		line("route", r.Name)
		line("  host", cmp.Or(r.Host, "any"))
		line("  path", pathOf(r))
		line("  upstream", upstreamOf(r))
		line("  timeout", r.Timeout.String())
		line("  limiter", limiterOf(r.Limiter, r.Key.String()))
		for _, tenant := range tenantsOf(r.Limiter) {
			line("  tenant", tenant)
		}
		if r.AddressLimiter != nil {
			line("  and", limiterOf(r.AddressLimiter, "ip"))
		}
		for _, tenant := range tenantsOf(r.AddressLimiter) {
			line("  tenant", tenant)
		}
		line("  breaker", breakerOf(r))
		if shares := sharesOf(r); shares != "" {
			line("  shares", shares)
		}
		if f := r.InFlight; f != nil {
			line("  in flight", inFlightOf(f))
		}
		line("  retry", retryOf(r))
	}
	_ = t.Flush() // to a terminal or a pipe; there is nowhere to report an error
}

func bound(d config.Duration) string {
	if d == 0 {
		return "unbounded"
	}
	return d.String()
}

func adminOf(c *config.Config) string {
	if c.AdminForce {
		return c.Admin + ", may force breakers"
	}
	return cmp.Or(c.Admin, "off")
}

func pathOf(r config.Route) string {
	if r.StripPrefix {
		return r.Path + " (stripped)"
	}
	return r.Path
}

func upstreamOf(r config.Route) string {
	if r.MaxConnections > 0 {
		return fmt.Sprintf("%v (at most %d connections)", &r.Upstream, r.MaxConnections)
	}
	return r.Upstream.String()
}

func connectionsOf(c *config.Config) string {
	if c.MaxClientConnections == 0 {
		return "unbounded"
	}
	return fmt.Sprintf("at most %d", c.MaxClientConnections)
}

func exemptOf(e config.Exempt) string {
	var all []string
	for _, network := range e.Addresses {
		all = append(all, network.String())
	}
	if all = append(all, e.Paths...); len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

func limiterOf(l *config.Limiter, key string) string {
	if l == nil {
		return "off"
	}
	s := fmt.Sprintf("%v per %v", l.Rate, key) + burstOf(l, l.Burst)
	if l.MaxWait > 0 {
		s += fmt.Sprintf(", waits %v, queue %d", l.MaxWait, l.MaxQueue)
	}
	if l.Shadow {
		s += ", on trial: refuses nothing"
	}
	return s
}

// burstOf returns how many requests of l may come at once.
func burstOf(l *config.Limiter, burst int) string {
	switch {
	case !l.FixedWindow:
		return fmt.Sprintf(", burst %d", burst)
	case l.Offset > 0:
		return fmt.Sprintf(", in fixed windows that begin %v later", l.Offset)
	default:
		return ", in fixed windows"
	}
}

func tenantsOf(l *config.Limiter) []string {
	if l == nil {
		return nil
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(l.Tenants)) {
		all = append(all, fmt.Sprintf("%q: %v", name, l.Tenants[name].Rate)+burstOf(l, l.Tenants[name].Burst))
	}
	return all
}

func breakerOf(r config.Route) string {
	b := r.Breaker
	if b == nil {
		return "off"
	}
	var opens []string
	if b.Failures > 0 {
		opens = append(opens, fmt.Sprintf("after %d", b.Failures))
	}
	if sharesOf(r) != "" {
		opens = append(opens, "by share")
	}
	s := fmt.Sprintf("opens %s, tries after %v", strings.Join(opens, " or "), b.Recovery)
	if b.MaxRecovery > 0 {
		s += fmt.Sprintf(" to %v", b.MaxRecovery)
	}
	if b.RecoveryJitter > 0 {
		s += fmt.Sprintf(", up to %s earlier", percent(b.RecoveryJitter))
	}
	s += fmt.Sprintf(", closes after %d", b.Successes)
	if b.Probes > 1 {
		s += fmt.Sprintf(", %d probes at a time", b.Probes)
	}
	if b.HalfOpenFailures > 0 {
		s += fmt.Sprintf(", %d probes may fail", b.HalfOpenFailures)
	}
	return s + fmt.Sprintf(", probes within %v, forgets after %v", b.ProbeTimeout, b.ForgetAfter)
}

// sharesOf returns the shares of requests that open the breaker of a route, or "" if there are none.
func sharesOf(r config.Route) string {
	b := r.Breaker
	if b == nil {
		return ""
	}
	var shares []string
	if b.FailureRate > 0 {
		shares = append(shares, percent(b.FailureRate)+" failed")
	}
	if b.SlowRate > 0 {
		shares = append(shares, fmt.Sprintf("%s took %v or longer", percent(b.SlowRate), b.SlowAfter))
	}
	if len(shares) == 0 {
		return ""
	}
	window := "requests in " + b.Window.String()
	if b.WindowCalls > 0 {
		window = fmt.Sprintf("of the last %d requests", b.WindowCalls)
	}
	return fmt.Sprintf("%s; among at least %d %s", strings.Join(shares, ", "), b.MinCalls, window)
}

// percent returns a share from 0 to 1 as "12.5%".
func percent(share float64) string { return strconv.FormatFloat(100*share, 'g', 4, 64) + "%" }

func inFlightOf(f *config.InFlight) string {
	s := fmt.Sprintf("at most %d", f.Max)
	if f.MaxWait > 0 {
		s += fmt.Sprintf(", waits %v, queue %d", f.MaxWait, f.MaxQueue)
	}
	return s
}

func retryOf(r config.Route) string {
	t := r.Retry
	if t == nil {
		return "off"
	}
	s := fmt.Sprintf("%d attempts, %v to %v apart", t.Attempts, t.BaseDelay, t.MaxDelay)
	if t.MaxElapsed > 0 {
		s += fmt.Sprintf(", within %v", t.MaxElapsed)
	}
	return s
}
