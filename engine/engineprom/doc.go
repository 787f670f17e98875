// Package engineprom shows the figures of engines to Prometheus.
//
// A [Collector] is a prometheus.Collector over any number of engines. Register a Collector with a
// registry of your own or with the default registry; this package registers nothing by itself.
//
//	c, err := engineprom.New(users, apis)
//	...
//	prometheus.MustRegister(c)
//
// # Metrics
//
// Every metric has the label engine, which is Config.Name. No metric has a key as label. Every
// series of an engine is there from the first scrape on, most at zero. Counters and histograms
// carry [engine.Engine.Since] as their created timestamp.
//
//	metric                              type       further label
//	limitpal_decisions_total            counter    result: admitted, limited, open, in_flight,
//	                                                       queue_full, key_limit, gave_up,
//	                                                       shadow_refused
//	limitpal_outcomes_total             counter    outcome: success, failure, ignore
//	limitpal_slow_total                 counter
//	limitpal_timed_out_total            counter
//	limitpal_retries_total              counter
//	limitpal_tokens_kept_spent_total    counter
//	limitpal_breaker_keys               gauge      state: closed, open, half_open
//	limitpal_breaker_transitions_total  counter    to: open, half_open, closed
//	limitpal_queued                     gauge
//	limitpal_in_flight                  gauge
//	limitpal_keys                       gauge
//	limitpal_actors                     gauge
//	limitpal_actor_restarts_total       counter
//	limitpal_evictions_total            counter
//	limitpal_spills_total               counter
//	limitpal_sketch_hits_total          counter
//	limitpal_sketch_load_ratio          gauge
//	limitpal_policy_revision            gauge
//	limitpal_queue_wait_seconds         histogram
//	limitpal_attempt_duration_seconds   histogram
//
// The figures are those of [engine.Stats] and [engine.Transitions], where each is explained; the
// revision is [engine.Engine.Revision]. The breakers' states are numbers of keys, so that the same
// rules serve one key and a million. A key without a breaker counts as closed.
//
// The two histograms are those of [engine.Latency], and exist only for engines with Config.Latency.
// Each is a classic histogram of 16 buckets, from 0.5 µs to 512 s in steps of a factor of 4, and a
// native histogram of schema 0, whose buckets grow by a factor of 2. A server that does not ask for
// native histograms gets the classic buckets alone. In the native histogram the last bucket, up to
// 1,024 s, holds all longer durations too.
//
// # Cost
//
// A scrape reads counters and asks no actor, so the time of a scrape does not depend on the number
// of keys. With several scrapers, promhttp.HandlerOpts.CoalesceGather has scrapes at the same time
// share one reading.
//
// # Dashboard and alerts
//
// The folder of this package has a Grafana dashboard, dashboard.json, and rules for alerts,
// alerts.yml.
package engineprom
