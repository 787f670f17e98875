package engineotel

import (
	"go.opentelemetry.io/otel/metric"

	"github.com/limitpal/limitpal-go/engine"
)

// figures are one reading of an engine.
type figures struct {
	engine.Stats
	engine.Transitions

	revision uint64
}

// family is a metric.
type family struct {
	name, unit, help string
	kind             func(meter metric.Meter, name, unit, help string) (metric.Observable, error)
	attribute        string // besides limitpal.engine; empty: none
	series           []series
}

// series is one of a family's series.
type series struct {
	attribute string // value of the family's attribute
	value     func(*figures) float64
}

// read returns the figures of e.
func read(e *engine.Engine) figures { return figures{e.Stats(), e.Transitions(), e.Revision()} }

func counter(m metric.Meter, name, unit, help string) (metric.Observable, error) {
	return m.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(help))
}

func upDown(m metric.Meter, name, unit, help string) (metric.Observable, error) {
	return m.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(help))
}

func gauge(m metric.Meter, name, unit, help string) (metric.Observable, error) {
	return m.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(help))
}

// families are all metrics.
var families = []family{
	{name: "limitpal.decisions", unit: "{decision}", kind: counter, attribute: "limitpal.result", series: []series{
		{"admitted", func(f *figures) float64 { return float64(f.Admitted) }},
		{"limited", func(f *figures) float64 { return float64(f.Limited) }},
		{"open", func(f *figures) float64 { return float64(f.Open) }},
		{"in_flight", func(f *figures) float64 { return float64(f.InFlightFull) }},
		{"queue_full", func(f *figures) float64 { return float64(f.QueueFull) }},
		{"key_limit", func(f *figures) float64 { return float64(f.KeyLimit) }},
		{"gave_up", func(f *figures) float64 { return float64(f.GaveUp) }},
		{"shadow_refused", func(f *figures) float64 { return float64(f.ShadowRefused) }},
	}, help: "Decisions about attempts of calls, each counted once."},
	{name: "limitpal.outcomes", unit: "{attempt}", kind: counter, attribute: "limitpal.outcome", series: []series{
		{"success", func(f *figures) float64 { return float64(f.Successes) }},
		{"failure", func(f *figures) float64 { return float64(f.Failures) }},
		{"ignore", func(f *figures) float64 { return float64(f.Ignored) }},
	}, help: "Ends of attempts that were admitted."},
	{name: "limitpal.slow", unit: "{attempt}", kind: counter, series: []series{
		{"", func(f *figures) float64 { return float64(f.Slow) }},
	}, help: "Attempts that took the SlowAfter of the breaker or longer, where the breaker judges slow calls."},
	{name: "limitpal.timed_out", unit: "{attempt}", kind: counter, series: []series{
		{"", func(f *figures) float64 { return float64(f.TimedOut) }},
	}, help: "Attempts that failed because a time limit of the engine ended them."},
	{name: "limitpal.retries", unit: "{attempt}", kind: counter, series: []series{
		{"", func(f *figures) float64 { return float64(f.Retries) }},
	}, help: "Attempts after the first of a call."},
	{name: "limitpal.tokens.kept_spent", unit: "{token}", kind: counter, series: []series{
		{"", func(f *figures) float64 { return float64(f.KeptSpent) }},
	}, help: "Tokens of calls that were not made and that could not be given back."},
	{name: "limitpal.breaker.keys", unit: "{key}", kind: upDown, attribute: "limitpal.state", series: []series{
		{"closed", func(f *figures) float64 { return float64(max(0, f.Keys-f.OpenKeys-f.HalfOpenKeys)) }},
		{"open", func(f *figures) float64 { return float64(f.OpenKeys) }},
		{"half_open", func(f *figures) float64 { return float64(f.HalfOpenKeys) }},
	}, help: "Keys whose breaker is in the state."},
	{name: "limitpal.breaker.forced_keys", unit: "{key}", kind: upDown, series: []series{
		{"", func(f *figures) float64 { return float64(f.ForcedKeys) }},
	}, help: "Keys whose breaker Engine.Force has opened or closed."},
	{name: "limitpal.breaker.transitions", unit: "{transition}", kind: counter, attribute: "limitpal.to", series: []series{
		{"open", func(f *figures) float64 { return float64(f.Tripped) }},
		{"half_open", func(f *figures) float64 { return float64(f.Probing) }},
		{"closed", func(f *figures) float64 { return float64(f.Recovered) }},
	}, help: "Changes of breakers to the state."},
	{name: "limitpal.queued", unit: "{call}", kind: upDown, series: []series{
		{"", func(f *figures) float64 { return float64(f.Waiting) }},
	}, help: "Callers that wait in queues."},
	{name: "limitpal.in_flight", unit: "{call}", kind: upDown, series: []series{
		{"", func(f *figures) float64 { return float64(f.InFlight) }},
	}, help: "Calls in flight that have a place of Config.Concurrency."},
	{name: "limitpal.keys", unit: "{key}", kind: upDown, series: []series{
		{"", func(f *figures) float64 { return float64(f.Keys) }},
	}, help: "Keys known."},
	{name: "limitpal.actors", unit: "{actor}", kind: upDown, series: []series{
		{"", func(f *figures) float64 { return float64(f.Actors) }},
	}, help: "Goroutines that run for keys."},
	{name: "limitpal.actor.restarts", unit: "{restart}", kind: counter, series: []series{
		{"", func(f *figures) float64 { return float64(f.Restarts) }},
	}, help: "Actors restarted after a panic, a fault of the library."},
	{name: "limitpal.evictions", unit: "{key}", kind: counter, series: []series{
		{"", func(f *figures) float64 { return float64(f.Evicted) }},
	}, help: "Keys forgotten whose state equalled that of a new key."},
	{name: "limitpal.spills", unit: "{key}", kind: counter, series: []series{
		{"", func(f *figures) float64 { return float64(f.Spilled) }},
	}, help: "Other keys forgotten, whose debts the sketch keeps."},
	{name: "limitpal.sketch.hits", unit: "{key}", kind: counter, series: []series{
		{"", func(f *figures) float64 { return float64(f.SketchHits) }},
	}, help: "Keys that began with less than a new key has, because of the sketch."},
	{name: "limitpal.sketch.load", unit: "1", kind: gauge, series: []series{
		{"", func(f *figures) float64 { return f.SketchLoad }},
	}, help: "Share of the sketch's cells in use, from 0 to 1. Above 0.5 Config.MaxKeys is too small."},
	{name: "limitpal.policy.revision", unit: "{revision}", kind: gauge, series: []series{
		{"", func(f *figures) float64 { return float64(f.revision) }},
	}, help: "Changes of the configuration that are in force."},
}
