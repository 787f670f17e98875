package engineprom

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/limitpal/limitpal-go/engine"
)

// Collector is a prometheus.Collector that shows the figures of engines. Register a Collector once,
// and add and remove engines at any time. The zero Collector has no engines. Any goroutine may call
// the methods. A Collector must not be copied.
type Collector struct {
	mu      sync.Mutex
	engines []*engine.Engine // replaced, never changed in place: a scrape may be reading
}

// New returns a Collector that shows engines. The errors are those of [Collector.Add].
func New(engines ...*engine.Engine) (*Collector, error) {
	c := new(Collector)
	if err := c.Add(engines...); err != nil {
		return nil, err
	}
	return c, nil
}

// Add adds engines. Config.Name tells engines apart, so an engine whose name is taken is an error,
// and so is a nil engine, and a name that is not UTF-8. The error joins one error for each such
// engine, and then no engine has been added. One engine may be without a name.
//
// A closed engine shows its last figures until it is removed.
func (c *Collector) Add(engines ...*engine.Engine) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := map[string]bool{}
	for _, e := range c.engines {
		taken[e.Name()] = true
	}
	var errs []error
	for i, e := range engines {
		switch {
		case e == nil:
			errs = append(errs, fmt.Errorf("engineprom: engines[%d] is nil", i))
		case !utf8.ValidString(e.Name()):
			errs = append(errs, fmt.Errorf("engineprom: engines[%d]: Config.Name = %q is not UTF-8", i, e.Name()))
		case taken[e.Name()]:
			errs = append(errs, fmt.Errorf("engineprom: engines[%d]: there is another engine whose Config.Name = %q", i, e.Name()))
		default:
			taken[e.Name()] = true
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	c.engines = slices.Concat(c.engines, engines)
	return nil
}

// Remove removes engines, so that the next scrape does not show them. Engines that the Collector
// does not have are ignored. To replace an engine by another of the same name, remove the old
// engine first; the created timestamps tell Prometheus that the counters began anew.
func (c *Collector) Remove(engines ...*engine.Engine) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.engines = slices.DeleteFunc(slices.Clone(c.engines), func(e *engine.Engine) bool { return slices.Contains(engines, e) })
}

// Describe implements prometheus.Collector. The descriptors do not depend on the engines.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range families {
		out <- f.desc
	}
	out <- queueWait
	out <- attemptDuration
}

// Collect implements prometheus.Collector. It asks no actor.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	engines := c.engines
	c.mu.Unlock()
	for _, e := range engines {
		collect(e, out)
	}
}

// collect sends the metrics of e.
func collect(e *engine.Engine, out chan<- prometheus.Metric) {
	now, since := read(e), e.Since()
	for _, f := range families {
		for _, s := range f.series {
			labels := []string{e.Name(), s.label}
			if f.label == "" {
				labels = labels[:1]
			}
			if f.counter {
				out <- prometheus.MustNewConstMetricWithCreatedTimestamp(f.desc, prometheus.CounterValue, s.value(&now), since, labels...)
			} else {
				out <- prometheus.MustNewConstMetric(f.desc, prometheus.GaugeValue, s.value(&now), labels...)
			}
		}
	}
	// Latency may be switched off by Reconfigure. A histogram that has begun stays.
	l := e.Latency()
	if e.Config().Latency || l.Waiting.Count > 0 || l.Attempts.Count > 0 {
		out <- newHistogram(queueWait, &l.Waiting, since, e.Name())
		out <- newHistogram(attemptDuration, &l.Attempts, since, e.Name())
	}
}
