package enginehttp

import (
	"net/http"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// transportEngine is the part of an engine's configuration that a Transport needs.
type transportEngine struct {
	revision uint64 // of engine, when it was asked
	engine   *engine.Engine
	breaker  bool          // whether engine has one
	keeps    bool          // whether it bounds the calls in flight or their time
	heeds    bool          // whether its open time may be what the upstream asks for
	patience time.Duration // of a lease
	err      error         // names a field of the configuration that a Transport cannot honour
}

// subjectOf returns what req asks leave of, or an error that names a field that is invalid, or the
// error of Chain. Each request asks, since there is no constructor.
func (t *Transport) subjectOf(req *http.Request) (subject, error) {
	bad := func(field string, value any, reason string) (subject, error) {
		return subject{}, &engine.ConfigError{Field: "Transport." + field, Value: value, Reason: reason}
	}
	switch {
	case t.Chain != nil && (t.Engine != nil || t.Key != nil):
		return bad("Chain", "set", "must not be set together with Engine or Key")
	case t.Chain == nil && t.Engine == nil:
		return bad("Engine", nil, "must not be nil, unless Chain is set")
	case t.AttemptTimeout < 0:
		return bad("AttemptTimeout", t.AttemptTimeout, "must not be negative (0 is no limit)")
	case t.MaxRetryAfter < 0:
		return bad("MaxRetryAfter", t.MaxRetryAfter, "must not be negative (0 is the default)")
	case t.Chain != nil:
		return t.chainOf(req)
	}
	known := t.known.Load()
	if known == nil || known.engine != t.Engine || known.revision != t.Engine.Revision() {
		known = newTransportEngine(t.Engine)
		t.known.Store(known)
	}
	if known.err != nil {
		return subject{}, known.err
	}
	return subject{eng: t.Engine, key: t.key(req), breaker: known.breaker, keeps: known.keeps, heeds: known.heeds, patience: known.patience}, nil
}

// chainOf is subjectOf for the keys of Chain.
func (t *Transport) chainOf(req *http.Request) (subject, error) {
	k, err := t.Chain(req)
	if err != nil {
		return subject{}, err
	}
	s := subject{chain: k}
	empty := true
	for eng := range k.Engines() {
		if eng == nil {
			break
		}
		empty = false
		known, _ := t.chained.Load(eng)
		e, ok := known.(*transportEngine)
		if !ok || e.revision != eng.Revision() {
			e = newTransportEngine(eng)
			t.chained.Store(eng, e)
		}
		if e.err != nil {
			return subject{}, e.err
		}
		s.add(e.breaker, e.patience)
		s.heeds, s.keeps = s.heeds || e.heeds, s.keeps || e.keeps
	}
	if empty {
		return subject{}, zeroKey("Transport")
	}
	return s, nil
}

// newTransportEngine asks eng for its configuration.
func newTransportEngine(eng *engine.Engine) *transportEngine {
	revision := eng.Revision() // first, so that a change that comes meanwhile is found later
	cfg := eng.Config()
	e := &transportEngine{revision: revision, engine: eng, breaker: cfg.Breaker != nil, patience: patienceOf(cfg)}
	e.keeps = cfg.Concurrency != nil || cfg.Timeout > 0 || cfg.AttemptTimeout > 0
	e.heeds = e.breaker && cfg.Breaker.MaxRecovery > 0
	if cfg.Classify != nil {
		e.err = unused("Classify", "an enginehttp.Transport has a Classify of its own")
	}
	return e
}

// zeroKey returns the error of a Chain that has returned the zero Key, or a chain without a key.
func zeroKey(adapter string) error {
	return &engine.ConfigError{Field: adapter + ".Chain", Value: "engine.Key{}", Reason: "must return a Key made by Engine.Key or engine.Chain"}
}
