package engineprom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/limitpal/limitpal-go/engine"
)

// figures are one reading of an engine.
type figures struct {
	engine.Stats
	engine.Transitions

	revision uint64
}

// family is a metric that is a counter or a gauge.
type family struct {
	name, help string
	counter    bool   // else a gauge
	label      string // besides engine; empty: none
	series     []series
	desc       *prometheus.Desc // of the fields above
}

// series is one of a family's series.
type series struct {
	label string // value of the family's label
	value func(*figures) float64
}

// families are all metrics but the histograms.
var families = describe([]family{
	{name: "limitpal_decisions_total", counter: true, label: "result", series: []series{
		{"admitted", func(f *figures) float64 { return float64(f.Admitted) }},
		{"limited", func(f *figures) float64 { return float64(f.Limited) }},
		{"open", func(f *figures) float64 { return float64(f.Open) }},
		{"in_flight", func(f *figures) float64 { return float64(f.InFlightFull) }},
		{"queue_full", func(f *figures) float64 { return float64(f.QueueFull) }},
		{"key_limit", func(f *figures) float64 { return float64(f.KeyLimit) }},
		{"gave_up", func(f *figures) float64 { return float64(f.GaveUp) }},
		{"shadow_refused", func(f *figures) float64 { return float64(f.ShadowRefused) }},
	}, help: "Decisions about attempts of calls, each counted once."},
	{name: "limitpal_outcomes_total", counter: true, label: "outcome", series: []series{
		{"success", func(f *figures) float64 { return float64(f.Successes) }},
		{"failure", func(f *figures) float64 { return float64(f.Failures) }},
		{"ignore", func(f *figures) float64 { return float64(f.Ignored) }},
	}, help: "Ends of attempts that were admitted."},
	{name: "limitpal_slow_total", counter: true, series: []series{
		{"", func(f *figures) float64 { return float64(f.Slow) }},
	}, help: "Attempts that took the SlowAfter of the breaker or longer, where the breaker judges slow calls."},
	{name: "limitpal_timed_out_total", counter: true, series: []series{
		{"", func(f *figures) float64 { return float64(f.TimedOut) }},
	}, help: "Attempts that failed because a time limit of the engine ended them."},
	{name: "limitpal_retries_total", counter: true, series: []series{
		{"", func(f *figures) float64 { return float64(f.Retries) }},
	}, help: "Attempts after the first of a call."},
	{name: "limitpal_tokens_kept_spent_total", counter: true, series: []series{
		{"", func(f *figures) float64 { return float64(f.KeptSpent) }},
	}, help: "Tokens of calls that were not made and that could not be given back."},
	{name: "limitpal_breaker_keys", label: "state", series: []series{
		{"closed", func(f *figures) float64 { return float64(max(0, f.Keys-f.OpenKeys-f.HalfOpenKeys)) }},
		{"open", func(f *figures) float64 { return float64(f.OpenKeys) }},
		{"half_open", func(f *figures) float64 { return float64(f.HalfOpenKeys) }},
	}, help: "Keys whose breaker is in the state."},
	{name: "limitpal_breaker_forced_keys", series: []series{
		{"", func(f *figures) float64 { return float64(f.ForcedKeys) }},
	}, help: "Keys whose breaker Engine.Force has opened or closed."},
	{name: "limitpal_breaker_transitions_total", counter: true, label: "to", series: []series{
		{"open", func(f *figures) float64 { return float64(f.Tripped) }},
		{"half_open", func(f *figures) float64 { return float64(f.Probing) }},
		{"closed", func(f *figures) float64 { return float64(f.Recovered) }},
	}, help: "Changes of breakers to the state."},
	{name: "limitpal_queued", series: []series{
		{"", func(f *figures) float64 { return float64(f.Waiting) }},
	}, help: "Callers that wait in queues."},
	{name: "limitpal_in_flight", series: []series{
		{"", func(f *figures) float64 { return float64(f.InFlight) }},
	}, help: "Calls in flight that have a place of Config.Concurrency."},
	{name: "limitpal_keys", series: []series{
		{"", func(f *figures) float64 { return float64(f.Keys) }},
	}, help: "Keys known."},
	{name: "limitpal_actors", series: []series{
		{"", func(f *figures) float64 { return float64(f.Actors) }},
	}, help: "Goroutines that run for keys."},
	{name: "limitpal_actor_restarts_total", counter: true, series: []series{
		{"", func(f *figures) float64 { return float64(f.Restarts) }},
	}, help: "Actors restarted after a panic, a fault of the library."},
	{name: "limitpal_evictions_total", counter: true, series: []series{
		{"", func(f *figures) float64 { return float64(f.Evicted) }},
	}, help: "Keys forgotten whose state equalled that of a new key."},
	{name: "limitpal_spills_total", counter: true, series: []series{
		{"", func(f *figures) float64 { return float64(f.Spilled) }},
	}, help: "Other keys forgotten, whose debts the sketch keeps."},
	{name: "limitpal_sketch_hits_total", counter: true, series: []series{
		{"", func(f *figures) float64 { return float64(f.SketchHits) }},
	}, help: "Keys that began with less than a new key has, because of the sketch."},
	{name: "limitpal_sketch_load_ratio", series: []series{
		{"", func(f *figures) float64 { return f.SketchLoad }},
	}, help: "Share of the sketch's cells in use, from 0 to 1. Above 0.5 Config.MaxKeys is too small."},
	{name: "limitpal_policy_revision", series: []series{
		{"", func(f *figures) float64 { return float64(f.revision) }},
	}, help: "Changes of the configuration that are in force."},
})

// read returns the figures of e.
func read(e *engine.Engine) figures { return figures{e.Stats(), e.Transitions(), e.Revision()} }

// describe gives the families their descriptors.
func describe(families []family) []family {
	for i := range families {
		f := &families[i]
		labels := []string{"engine", f.label}
		if f.label == "" {
			labels = labels[:1]
		}
		f.desc = prometheus.NewDesc(f.name, f.help, labels, nil)
	}
	return families
}
