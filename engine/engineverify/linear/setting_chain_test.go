package linear_test

import "github.com/limitpal/limitpal-go/engine"

// chains are the settings in which clients call a narrow and a wide key, each of an engine of its
// own, both alone and through a chain.
func chains() []setting {
	tall := []limit{{capacity: 3, interval: 2}}
	small := []limit{{capacity: 2, interval: 3}}
	both := []limit{{capacity: 3, interval: 2}, {capacity: 3, interval: 2, leaky: true}}
	strict := &policy{threshold: 1, recovery: 1, successes: 1, probes: 1, lease: 3, forget: 9}
	atOnce := []act{
		actAllow, actAcquire, actInspect, actStep, actReset,
		actChained + actAllow, actChained + actAcquire, actChained + actAcquire, actChained + actRun,
	}
	return []setting{
		{name: "chain", rules: rules{limits: tall}, wide: &rules{limits: small}, mix: atOnce},
		{name: "chain-of-composites", rules: rules{limits: both}, wide: &rules{limits: small}, mix: atOnce},
		{name: "chain-and-eviction", rules: rules{limits: tall, evicts: true}, wide: &rules{limits: small, evicts: true},
			idleAfter: 2, mix: append(atOnce, actStep, actStep)},
		{name: "chain-and-queues", rules: rules{limits: tall, waits: true, maxQueue: 3},
			wide: &rules{limits: small, breaker: strict, waits: true, maxQueue: 2, maxWait: 7},
			mix: []act{
				actAllow, actRun, actInspect, actStep, actStep, actCancel, actCancel, actReset,
				actChained + actAllow, actChained + actAcquire, actChained + actAcquire, actChained + actRun, actChained + actRun, actChained + actAdmit,
			}},
	}
}

// keys is how many keys a history has.
func (s *setting) keys() int {
	if s.wide != nil {
		return wide + 1
	}
	return keys
}

// size is how many clients there are, and how many operations each makes. A call through a chain is
// an operation of several steps on each key, so that there are to be fewer of them, and successes that
// a window counts may come in many orders.
func (s *setting) size() (n, each int) {
	slow, slices := false, false
	if p := s.rules.breaker; s.rules.rated() {
		slow, slices = p.slowRate > 0, p.slice > 0
	}
	switch {
	case slow && slices:
		return 3, 9
	case s.wide != nil, s.rules.rated() && (s.rules.waits || s.rules.spills):
		return 4, 8
	case slow || slices:
		return 4, 10
	default:
		return clients, perClient
	}
}

// publish notes the dispatch.
func (s *setting) publish(d engine.Dispatch) {
	s.rules.published = d == engine.Published
	if s.wide != nil {
		w := *s.wide
		w.published = s.rules.published
		s.wide = &w
	}
}
