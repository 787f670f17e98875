package engineotel

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
)

// seriesOf names the series that shows each field of engine.Stats and engine.Transitions.
var seriesOf = map[string]string{
	"Keys":          "limitpal.keys{}",
	"Actors":        "limitpal.actors{}",
	"Waiting":       "limitpal.queued{}",
	"OpenKeys":      "limitpal.breaker.keys{open}",
	"HalfOpenKeys":  "limitpal.breaker.keys{half_open}",
	"ForcedKeys":    "limitpal.breaker.forced_keys{}",
	"Admitted":      "limitpal.decisions{admitted}",
	"Limited":       "limitpal.decisions{limited}",
	"Open":          "limitpal.decisions{open}",
	"InFlightFull":  "limitpal.decisions{in_flight}",
	"InFlight":      "limitpal.in_flight{}",
	"QueueFull":     "limitpal.decisions{queue_full}",
	"KeyLimit":      "limitpal.decisions{key_limit}",
	"GaveUp":        "limitpal.decisions{gave_up}",
	"ShadowRefused": "limitpal.decisions{shadow_refused}",
	"Successes":     "limitpal.outcomes{success}",
	"Failures":      "limitpal.outcomes{failure}",
	"Ignored":       "limitpal.outcomes{ignore}",
	"Tripped":       "limitpal.breaker.transitions{open}",
	"Probing":       "limitpal.breaker.transitions{half_open}",
	"Recovered":     "limitpal.breaker.transitions{closed}",
	"Slow":          "limitpal.slow{}",
	"TimedOut":      "limitpal.timed_out{}",
	"Retries":       "limitpal.retries{}",
	"KeptSpent":     "limitpal.tokens.kept_spent{}",
	"Evicted":       "limitpal.evictions{}",
	"Spilled":       "limitpal.spills{}",
	"SketchHits":    "limitpal.sketch.hits{}",
	"Restarts":      "limitpal.actor.restarts{}",
	"SketchLoad":    "limitpal.sketch.load{}",
}

// shownBy returns the values of all series that are not zero.
func shownBy(f *figures) map[string]float64 {
	shown := map[string]float64{}
	for _, family := range families {
		for _, s := range family.series {
			if v := s.value(f); v != 0 {
				shown[fmt.Sprintf("%s{%s}", family.name, s.attribute)] = v
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
			require.Equal(t, want, shown["limitpal.breaker.keys{closed}"])
			delete(shown, "limitpal.breaker.keys{closed}")
		}
		require.Equal(t, map[string]float64{seriesOf[field.Name]: want}, shown, field.Name)
	}
	require.Equal(t, map[string]float64{"limitpal.policy.revision{}": 7}, shownBy(&figures{revision: 7}))
}

func TestKeysThatAreNotOpenOrHalfOpenAreClosed(t *testing.T) {
	shown := shownBy(&figures{Stats: engine.Stats{Keys: 10, OpenKeys: 3, HalfOpenKeys: 2}})
	require.Equal(t, 5.0, shown["limitpal.breaker.keys{closed}"])
	// The figures are of slightly different moments.
	require.NotContains(t, shownBy(&figures{Stats: engine.Stats{Keys: 1, OpenKeys: 2}}), "limitpal.breaker.keys{closed}")
}
