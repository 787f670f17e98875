package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// engineReport is the JSON of an engine of a route.
type engineReport struct {
	Route       string       `json:"route"`
	Engine      string       `json:"engine"`
	Hidden      bool         `json:"hidden"` // keys are hashes
	Keys        int          `json:"keys"`   // that are known
	MostRefused []refusedKey `json:"most_refused"`
	Key         *keyReport   `json:"key,omitempty"`
}

type refusedKey struct {
	Key     string `json:"key"`
	Refused uint64 `json:"refused"`
}

// keyReport is the JSON of a key. Without a limiter there are no limits, and without a breaker the
// breaker is closed.
type keyReport struct {
	Key      string        `json:"key"`
	Known    bool          `json:"known"` // else the key is as a new key
	Passes   bool          `json:"passes"`
	Stage    string        `json:"stage,omitempty"` // that refuses
	RetryIn  float64       `json:"retry_after_seconds"`
	Ahead    int           `json:"ahead"` // callers that a call would wait for
	Breaker  string        `json:"breaker"`
	Forced   bool          `json:"forced"` // by hand
	Failures int           `json:"failures"`
	OpenFor  float64       `json:"open_for_seconds"`
	Waiting  int           `json:"waiting"`
	Limits   []limitReport `json:"limits"`
}

type limitReport struct {
	Capacity  int     `json:"capacity"`
	Rate      float64 `json:"rate_per_second"`
	Window    float64 `json:"window_seconds,omitempty"`      // of a fixed window
	Ends      float64 `json:"window_ends_seconds,omitempty"` // likewise
	Available float64 `json:"available"`
	Queued    int     `json:"queued"`
	Wait      float64 `json:"wait_seconds"`
}

// The number of keys that were refused most, by default and at most.
const (
	usualRefused = 10
	mostRefused  = 100
)

// keys reports the engines of all routes, or of route=NAME, with the n=N keys that were refused
// most; and with key=KEY the state of a key in each engine that has keys of that kind. KEY is an
// address, the value of a header or its hash as the log has it, or the host of an upstream.
func (s *Server) keys(w http.ResponseWriter, r *http.Request) {
	query, err := queryOf(r, "key", "n", "route")
	n := usualRefused
	if err == nil && query.Has("n") {
		if n, err = strconv.Atoi(query.Get("n")); err != nil || n < 0 || n > mostRefused {
			err = fmt.Errorf("n = %q: must be 0 to %d", query.Get("n"), mostRefused)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	reports := []engineReport{} // not null
	for _, g := range s.gateway.Guards() {
		if g.Route == "" || query.Has("route") && query.Get("route") != g.Route {
			continue
		}
		report := reportOf(&g, n)
		if query.Has("key") {
			report.Key = keyOf(&g, query.Get("key"))
		}
		reports = append(reports, report)
	}
	if len(reports) == 0 && query.Has("route") {
		http.Error(w, fmt.Sprintf("route = %q: no such route with a limiter, a breaker or retries", query.Get("route")), http.StatusNotFound)
		return
	}
	answerJSON(w, map[string]any{"engines": reports})
}

func answerJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	_ = out.Encode(value) // the client may have left
}

func reportOf(g *proxy.Guard, n int) engineReport {
	report := engineReport{
		Route: g.Route, Engine: g.Engine.Name(), Hidden: g.Hidden, Keys: g.Engine.Stats().Keys, MostRefused: []refusedKey{},
	}
	for _, k := range g.Engine.MostRefused(n) {
		report.MostRefused = append(report.MostRefused, refusedKey{g.Shown(k.Key), k.Refused})
	}
	return report
}

// hashLength is the length of a hash.
const hashLength = 16

// find returns the key of g that text names, also by its hash, and whether g knows the key. ok is
// false if text names no key of g.
func find(g *proxy.Guard, text string) (key string, known, ok bool) {
	if g.Key == nil {
		return "", false, false
	}
	if key, ok = g.Key(text); !ok {
		return "", false, false
	}
	if _, known = g.Engine.Inspect(key); !known && g.Hidden && len(text) == hashLength {
		for other := range g.Engine.Keys() {
			if g.Shown(other) == text {
				return other, true, true
			}
		}
	}
	return key, known, true
}

// keyOf reports the key of g that text names; nil if text names no key of g.
func keyOf(g *proxy.Guard, text string) *keyReport {
	key, _, ok := find(g, text)
	if !ok {
		return nil
	}
	return stateOf(g, key)
}

// stateOf reports a key of g.
func stateOf(g *proxy.Guard, key string) *keyReport {
	state, known := g.Engine.Inspect(key)
	handle := g.Engine.Key(key)
	limits, _ := handle.Limits() // no error: config has checked the limits of all tenants
	report := &keyReport{
		Key: g.Shown(key), Known: known, Breaker: state.Breaker.String(), Forced: state.Forced, Failures: state.Failures,
		OpenFor: state.OpenFor.Seconds(), Waiting: state.Waiting, Limits: []limitReport{},
	}
	for i, l := range limits {
		limit := limitReport{Capacity: l.Capacity(), Rate: float64(time.Second) / float64(l.Interval()), Available: float64(l.Capacity())}
		if l.Windowed() {
			limit.Window = l.Burst().Seconds()
		}
		if i < len(state.Limits) {
			now := state.Limits[i]
			limit.Available, limit.Queued, limit.Wait, limit.Ends = now.Available, now.Queued, now.Wait.Seconds(), now.Ends.Seconds()
		}
		report.Limits = append(report.Limits, limit)
	}
	x := handle.Explain()
	report.Passes, report.Stage, report.RetryIn, report.Ahead = x.Passes, string(x.Keys[0].Stage), x.RetryAfter.Seconds(), x.Ahead
	return report
}
