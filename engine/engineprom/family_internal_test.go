package engineprom

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
)

// seriesOf names the series that shows each field of engine.Stats and engine.Transitions.
var seriesOf = map[string]string{
	"Keys":          "limitpal_keys{}",
	"Actors":        "limitpal_actors{}",
	"Waiting":       "limitpal_queued{}",
	"OpenKeys":      "limitpal_breaker_keys{open}",
	"HalfOpenKeys":  "limitpal_breaker_keys{half_open}",
	"ForcedKeys":    "limitpal_breaker_forced_keys{}",
	"Admitted":      "limitpal_decisions_total{admitted}",
	"Limited":       "limitpal_decisions_total{limited}",
	"Open":          "limitpal_decisions_total{open}",
	"InFlightFull":  "limitpal_decisions_total{in_flight}",
	"InFlight":      "limitpal_in_flight{}",
	"QueueFull":     "limitpal_decisions_total{queue_full}",
	"KeyLimit":      "limitpal_decisions_total{key_limit}",
	"GaveUp":        "limitpal_decisions_total{gave_up}",
	"ShadowRefused": "limitpal_decisions_total{shadow_refused}",
	"Successes":     "limitpal_outcomes_total{success}",
	"Failures":      "limitpal_outcomes_total{failure}",
	"Ignored":       "limitpal_outcomes_total{ignore}",
	"Tripped":       "limitpal_breaker_transitions_total{open}",
	"Probing":       "limitpal_breaker_transitions_total{half_open}",
	"Recovered":     "limitpal_breaker_transitions_total{closed}",
	"Slow":          "limitpal_slow_total{}",
	"TimedOut":      "limitpal_timed_out_total{}",
	"Retries":       "limitpal_retries_total{}",
	"KeptSpent":     "limitpal_tokens_kept_spent_total{}",
	"Evicted":       "limitpal_evictions_total{}",
	"Spilled":       "limitpal_spills_total{}",
	"SketchHits":    "limitpal_sketch_hits_total{}",
	"Restarts":      "limitpal_actor_restarts_total{}",
	"SketchLoad":    "limitpal_sketch_load_ratio{}",
}

// shownBy returns the values of all series that are not zero.
func shownBy(f *figures) map[string]float64 {
	shown := map[string]float64{}
	for _, family := range families {
		for _, s := range family.series {
			if v := s.value(f); v != 0 {
				shown[fmt.Sprintf("%s{%s}", family.name, s.label)] = v
			}
		}
	}
	return shown
}

func TestEveryFigureIsShown(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[figures]()) {
		if field.Anonymous || !field.IsExported() {
			continue
		}
		var f figures
		v, want := reflect.ValueOf(&f).Elem().FieldByIndex(field.Index), 7.0
		switch {
		case v.CanInt():
			v.SetInt(7)
		case v.CanUint():
			v.SetUint(7)
		default:
			v.SetFloat(7)
		}
		require.Contains(t, seriesOf, field.Name, "no series shows %s", field.Name)
		shown := shownBy(&f)
		if field.Name == "Keys" {
			require.Equal(t, want, shown["limitpal_breaker_keys{closed}"])
			delete(shown, "limitpal_breaker_keys{closed}")
		}
		require.Equal(t, map[string]float64{seriesOf[field.Name]: want}, shown, field.Name)
	}
	require.Equal(t, map[string]float64{"limitpal_policy_revision{}": 7}, shownBy(&figures{revision: 7}))
}

func TestKeysThatAreNotOpenOrHalfOpenAreClosed(t *testing.T) {
	shown := shownBy(&figures{Stats: engine.Stats{Keys: 10, OpenKeys: 3, HalfOpenKeys: 2}})
	require.Equal(t, 5.0, shown["limitpal_breaker_keys{closed}"])
	// The figures are of slightly different moments.
	require.NotContains(t, shownBy(&figures{Stats: engine.Stats{Keys: 1, OpenKeys: 2}}), "limitpal_breaker_keys{closed}")
}
