package engineprom_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
)

var (
	reference = regexp.MustCompile(`\b(limitpal_\w+)(\{[^}]*\})?`)
	matcher   = regexp.MustCompile(`(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	grouping  = regexp.MustCompile(`\b(?:by|on|without|ignoring)\s*\(([^)]*)\)`)
)

// known holds expressions of PromQL to the metrics that a Collector has.
type known struct {
	families map[string]*dto.MetricFamily
	labels   map[string][]string // the values of each label
	used     map[string]bool     // families that were named
}

func newKnown(t *testing.T) *known {
	t.Helper()
	reg, _ := registered(t, start(t, engine.Config{Name: "a", Latency: true}))
	k := &known{families: gather(t, reg), labels: map[string][]string{}, used: map[string]bool{}}
	for _, f := range k.families {
		for _, m := range f.Metric {
			for label, value := range labelsOf(m) {
				k.labels[label] = append(k.labels[label], value)
			}
		}
	}
	return k
}

// family returns the family of a name in an expression.
func (k *known) family(name string) *dto.MetricFamily {
	if f := k.families[name]; f != nil {
		return f
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if f := k.families[strings.TrimSuffix(name, suffix)]; strings.HasSuffix(name, suffix) && f.GetType() == dto.MetricType_HISTOGRAM {
			return f
		}
	}
	return nil
}

// faults returns a line for each thing in the expression that a scrape does not have.
func (k *known) faults(expr string) (faults []string) {
	found := reference.FindAllStringSubmatch(expr, -1)
	if len(found) == 0 {
		faults = append(faults, "no metric in "+expr)
	}
	for _, ref := range found {
		f := k.family(ref[1])
		if f == nil {
			faults = append(faults, "no metric "+ref[1])
			continue
		}
		k.used[f.GetName()] = true
		if counts := f.GetType() == dto.MetricType_COUNTER; counts != regexp.MustCompile(`(rate|increase)\(`+regexp.QuoteMeta(ref[0])).MatchString(expr) && f.GetType() != dto.MetricType_HISTOGRAM {
			faults = append(faults, fmt.Sprintf("rate and increase are for counters, and for these alone: %s", ref[0]))
		}
		has := labelsOf(f.Metric[0])
		for _, m := range matcher.FindAllStringSubmatch(ref[2], -1) {
			if _, ok := has[m[1]]; !ok {
				faults = append(faults, fmt.Sprintf("%s has no label %s", ref[1], m[1]))
			}
			for value := range strings.SplitSeq(m[3], "|") {
				if value != "$engine" && !slices.Contains(k.labels[m[1]], value) {
					faults = append(faults, fmt.Sprintf("%s is never %q", m[1], value))
				}
			}
		}
	}
	for _, by := range grouping.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(by[1], ",") {
			label = strings.TrimSpace(label)
			if label != "job" && label != "le" && k.labels[label] == nil {
				faults = append(faults, "no label "+label)
			}
		}
	}
	return faults
}

func TestFaultsOfExpressionsAreFound(t *testing.T) {
	k := newKnown(t)
	for expr, want := range map[string]string{
		`sum by (engine) (limitpal_keys)`:                                 "",
		`rate(limitpal_decisions_total{result=~"open|limited"}[5m])`:      "",
		`rate(limitpal_queue_wait_seconds_bucket{engine=~"$engine"}[5m])`: "",
		`rate(limitpal_queue_wait_seconds{engine=~"$engine"}[5m])`:        "",
		`limitpal_key`:                "no metric limitpal_key",
		`limitpal_keys_bucket`:        "no metric limitpal_keys_bucket",
		`up`:                          "no metric in up",
		`limitpal_keys{state="open"}`: "limitpal_keys has no label state",
		`limitpal_breaker_keys{state="half-open"}`:  `state is never "half-open"`,
		`limitpal_breaker_keys{state=~"open|half"}`: `state is never "half"`,
		`sum by (engine, class) (limitpal_keys)`:    "no label class",
		`rate(limitpal_keys[5m])`:                   "rate and increase are for counters, and for these alone: limitpal_keys",
		`limitpal_retries_total > 0`:                "rate and increase are for counters, and for these alone: limitpal_retries_total",
	} {
		faults := k.faults(expr)
		if want == "" {
			require.Empty(t, faults, expr)
		} else {
			require.Equal(t, []string{want}, faults, expr)
		}
	}
}
