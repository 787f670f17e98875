package engineotel

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/limitpal/limitpal-go/engine"
)

// The names of the events.
const (
	retryEvent    = "limitpal.retry"
	rejectedEvent = "limitpal.rejected"
)

// TraceOption changes the hooks that [Trace] makes.
type TraceOption interface{ apply(*tracer) }

type traceOption func(*tracer)

func (o traceOption) apply(t *tracer) { o(t) }

// WithKey adds the attribute limitpal.key to the events, with the text that shown returns for the
// key. Keys may be personal data, so without this option no event has a key. The hooks call shown on
// the goroutines of callers.
func WithKey(shown func(key string) string) TraceOption {
	return traceOption(func(t *tracer) { t.key = shown })
}

// Trace returns hooks for Config.Trace that add events to the span in the context of a call. One
// Trace serves any number of engines. If the span does not record, the hooks allocate nothing.
//
//	limitpal.retry, before each attempt after the first:
//		limitpal.attempt      the number of the attempt, from 2
//		limitpal.waited       seconds since the attempt before ended: the backoff, and in queues
//		error.message         the error of the attempt before
//	limitpal.rejected, when an engine has refused:
//		limitpal.engine       Config.Name of the engine
//		limitpal.stage        the engine.Stage that refused; empty after Close and a panic
//		limitpal.reason       the reason, such as "breaker: open"
//		limitpal.retry_after  seconds until a retry would be admitted, if known
//
// In a chain each engine calls its own hooks, so give a Trace to one engine of the chain for one
// event per retry. A refusal is an event only of the engine that refused.
//
// An error that holds a *engine.Rejection or a *engine.ConfigError shows as the reason in there
// alone, because the texts of both may have a key.
func Trace(options ...TraceOption) *engine.Trace {
	t := new(tracer)
	for _, o := range options {
		o.apply(t)
	}
	return &engine.Trace{Attempt: t.attempt, Rejected: t.rejected}
}

// tracer adds the events.
type tracer struct {
	key func(string) string // nil: no key is shown
}

func (t *tracer) attempt(ctx context.Context, key string, a engine.Attempt) {
	if a.Number < 2 {
		return
	}
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	attributes := append(t.keyOf(key),
		attribute.Int("limitpal.attempt", a.Number),
		seconds("limitpal.waited", a.Waited),
	)
	if a.Last != nil {
		attributes = append(attributes, attribute.String("error.message", textOf(a.Last)))
	}
	span.AddEvent(retryEvent, trace.WithAttributes(attributes...))
}

func (t *tracer) rejected(ctx context.Context, r *engine.Rejection) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	attributes := append(t.keyOf(r.Key),
		attribute.String("limitpal.engine", r.Engine),
		attribute.String("limitpal.stage", string(r.Stage)),
		attribute.String("limitpal.reason", textOf(r)),
	)
	if after := r.RetryAfter(); after > 0 {
		attributes = append(attributes, seconds("limitpal.retry_after", after))
	}
	span.AddEvent(rejectedEvent, trace.WithAttributes(attributes...))
}

// keyOf returns the attribute of the key, if it is asked for.
func (t *tracer) keyOf(key string) []attribute.KeyValue {
	if t.key == nil {
		return nil
	}
	return []attribute.KeyValue{attribute.String("limitpal.key", t.key(key))}
}

// textOf returns the text of err without a key.
func textOf(err error) string {
	if r, ok := errors.AsType[*engine.Rejection](err); ok {
		if r.Stage == "" && !errors.Is(r.Err, engine.ErrClosed) {
			return "engine: a turn panicked" // the text of the panic has the key
		}
		return r.Err.Error()
	}
	if c, ok := errors.AsType[*engine.ConfigError](err); ok {
		return "engine: " + c.Reason
	}
	return err.Error()
}

func seconds(name string, d time.Duration) attribute.KeyValue {
	return attribute.Float64(name, d.Seconds())
}
