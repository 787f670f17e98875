// Package engineotel shows engines to OpenTelemetry: figures as metrics, and retries and refusals
// as events on the spans of callers. The package needs the API of OpenTelemetry alone; the program
// chooses the SDK.
//
// # Metrics
//
// [Register] shows the figures of engines to a metric.MeterProvider.
//
//	shown, err := engineotel.Register(provider, users, apis)
//	...
//	defer shown.Unregister()
//
// Every metric has the attribute limitpal.engine, which is Config.Name. No metric has a key as
// attribute.
//
//	metric                        instrument     unit          further attribute
//	limitpal.decisions            counter        {decision}    limitpal.result
//	limitpal.outcomes             counter        {attempt}     limitpal.outcome
//	limitpal.slow                 counter        {attempt}
//	limitpal.timed_out            counter        {attempt}
//	limitpal.retries              counter        {attempt}
//	limitpal.tokens.kept_spent    counter        {token}
//	limitpal.breaker.keys         updowncounter  {key}         limitpal.state
//	limitpal.breaker.transitions  counter        {transition}  limitpal.to
//	limitpal.queued               updowncounter  {call}
//	limitpal.in_flight            updowncounter  {call}
//	limitpal.keys                 updowncounter  {key}
//	limitpal.actors               updowncounter  {actor}
//	limitpal.actor.restarts       counter        {restart}
//	limitpal.evictions            counter        {key}
//	limitpal.spills               counter        {key}
//	limitpal.sketch.hits          counter        {key}
//	limitpal.sketch.load          gauge          1
//	limitpal.policy.revision      gauge          {revision}
//
//	limitpal.result     admitted, limited, open, in_flight, queue_full, key_limit, gave_up,
//	                    shadow_refused
//	limitpal.outcome    success, failure, ignore
//	limitpal.state      closed, open, half_open
//	limitpal.to         open, half_open, closed
//
// The figures are those of [engine.Stats] and [engine.Transitions], where each is explained; the
// revision is [engine.Engine.Revision]. All instruments are observable: a collection reads counters
// and asks no actor, so its time does not depend on the number of keys. Package engineprom shows
// the same figures; the Prometheus exporter of OpenTelemetry makes the same names of these, and
// labels such as limitpal_engine.
//
// The API has no observable histogram, so the histograms of [engine.Latency] are not shown. To have
// them, give the Collector of package engineprom to a Prometheus registry, and the registry to the
// SDK through go.opentelemetry.io/contrib/bridges/prometheus, in place of Register.
//
// # Traces
//
// [Trace] makes the hooks that add events to the span in the context of a call. The package begins
// no span.
//
//	cfg := engine.Config{Name: "api", Trace: engineotel.Trace()}
package engineotel
