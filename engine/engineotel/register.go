package engineotel

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/limitpal/limitpal-go/engine"
)

// ScopeName is the name of the instrumentation scope of the metrics.
const ScopeName = "github.com/limitpal/limitpal-go/engine/engineotel"

// Register shows the figures of engines to the readers of provider until Unregister of the result
// is called. A nil provider, a nil engine and two engines of one Config.Name are errors; the error
// joins one error for each. One engine may be without a name.
//
// To show engines that come and go while the program runs, call Register for each engine, and
// Unregister when the engine is closed. Two registrations with a provider must not show engines of
// one name at a time: their figures would be mixed up. After Close an engine shows its last
// figures.
func Register(provider metric.MeterProvider, engines ...*engine.Engine) (metric.Registration, error) {
	if err := check(provider, engines); err != nil {
		return nil, err
	}
	meter := provider.Meter(ScopeName)
	instruments := make([]metric.Observable, 0, len(families))
	var errs []error
	for _, f := range families {
		i, err := f.kind(meter, f.name, f.unit, f.help)
		instruments, errs = append(instruments, i), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("engineotel: %w", err)
	}
	readers := make([]reader, len(engines))
	for i, e := range engines {
		readers[i] = newReader(e, instruments)
	}
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for i := range readers {
			readers[i].observe(o)
		}
		return nil
	}, instruments...)
	if err != nil {
		return nil, fmt.Errorf("engineotel: %w", err)
	}
	return registration, nil
}

// check returns an error for each argument of Register that cannot be used.
func check(provider metric.MeterProvider, engines []*engine.Engine) error {
	var errs []error
	if provider == nil {
		errs = append(errs, errors.New("engineotel: provider is nil"))
	}
	taken := map[string]bool{}
	for i, e := range engines {
		switch {
		case e == nil:
			errs = append(errs, fmt.Errorf("engineotel: engines[%d] is nil", i))
		case taken[e.Name()]:
			errs = append(errs, fmt.Errorf("engineotel: engines[%d]: there is another engine whose Config.Name = %q", i, e.Name()))
		default:
			taken[e.Name()] = true
		}
	}
	return errors.Join(errs...)
}

// reader observes the figures of one engine.
type reader struct {
	engine *engine.Engine
	series []observation
}

// observation is a series of an engine: the attributes are made once, not at each collection.
type observation struct {
	instrument metric.Observable
	options    []metric.ObserveOption
	value      func(*figures) float64
}

// newReader returns the reader of e; instruments are those of the families.
func newReader(e *engine.Engine, instruments []metric.Observable) reader {
	r := reader{engine: e}
	for i, f := range families {
		for _, s := range f.series {
			attributes := []attribute.KeyValue{attribute.String("limitpal.engine", e.Name())}
			if f.attribute != "" {
				attributes = append(attributes, attribute.String(f.attribute, s.attribute))
			}
			options := []metric.ObserveOption{metric.WithAttributeSet(attribute.NewSet(attributes...))}
			r.series = append(r.series, observation{instruments[i], options, s.value})
		}
	}
	return r
}

// observe gives the figures of the engine to o.
func (r *reader) observe(o metric.Observer) {
	now := read(r.engine)
	for _, s := range r.series {
		switch i := s.instrument.(type) {
		case metric.Int64Observable:
			o.ObserveInt64(i, int64(s.value(&now)), s.options...)
		case metric.Float64Observable:
			o.ObserveFloat64(i, s.value(&now), s.options...)
		}
	}
}
