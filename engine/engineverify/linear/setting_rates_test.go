package linear_test

import "slices"

// The policies of the settings. Brittle is for breakers that open and close often.
func brittlePolicy() *policy {
	return &policy{threshold: 2, recovery: 3, successes: 2, probes: 2, lease: 4, forget: 14}
}

func strictPolicy() *policy {
	return &policy{threshold: 1, recovery: 1, successes: 1, probes: 1, lease: 3, forget: 9}
}

// ofCalls judges the last five calls, and nothing else.
func ofCalls() *policy {
	return &policy{recovery: 2, successes: 1, probes: 1, lease: 3, forget: 11, rates: rates{failureRate: 0.6, calls: 5, minCalls: 3}}
}

// ofTime judges ten slices of a tick, and failures in a row.
func ofTime() *policy {
	return &policy{threshold: 3, recovery: 2, successes: 1, probes: 2, lease: 4, forget: 14, rates: rates{failureRate: 0.5, slice: 1, minCalls: 4}}
}

// ofSlow judges slow calls and failures, of the last six calls.
func ofSlow() *policy {
	return &policy{recovery: 2, successes: 2, probes: 2, lease: 5, forget: 12, tolerated: 1, rates: rates{
		failureRate: 1, slowRate: 0.5, slowAfter: 2, calls: 6, minCalls: 2,
	}}
}

// ofSlowTime judges slow calls alone, in ten slices of two ticks, and failures in a row.
func ofSlowTime() *policy {
	return &policy{threshold: 4, recovery: 2, successes: 1, probes: 1, lease: 5, forget: 15, rates: rates{
		slowRate: 0.4, slowAfter: 2, slice: 2, minCalls: 3,
	}}
}

// byRates are the settings with breakers that judge by rates.
func byRates() []setting {
	bucket := []limit{{capacity: 3, interval: 2}}
	small := limit{capacity: 2, interval: 3}
	more := []limit{{capacity: 5, interval: 4}}
	calls := []act{actRun, actRun, actRun, actRun, actAdmit, actAdmit, actInspect, actStep}
	twice := slices.Clip(append(calls, calls...))
	return []setting{
		{name: "rate-of-calls", rules: rules{breaker: ofCalls()}, mix: append(twice, actReset)},
		{name: "rate-of-time", rules: rules{breaker: ofTime()}, mix: append(twice, actReset)},
		{name: "rate-of-slow-calls", rules: rules{breaker: ofSlow()}, mix: twice},
		{name: "rate-of-slow-time", rules: rules{breaker: ofSlowTime()}, mix: append(twice, actReset)},
		{name: "rate-and-limiter", rules: rules{limits: bucket, breaker: ofTime()}, mix: append(twice, actAllow, actReset)},
		{name: "rate-and-composite", rules: rules{limits: []limit{small, bucket[0]}, breaker: ofCalls()}, mix: append(twice, actAllow, actStep)},
		{name: "rate-and-changes", known: true, rules: rules{limits: bucket, others: more, breaker: ofCalls()}, mix: append(twice, actChange, actChange, actStep, actReset)},
		{name: "rate-and-queue", rules: rules{limits: bucket, breaker: ofSlow(), waits: true, maxWait: 12, maxQueue: 4}, mix: append(twice, actAcquire, actStep, actStep, actCancel)},
		{name: "rate-and-eviction", rules: rules{limits: []limit{small}, breaker: ofTime(), evicts: true}, idleAfter: 2, mix: append(twice, actStep, actStep)},
		{name: "rate-and-spill", rules: rules{limits: bucket, breaker: ofCalls(), evicts: true, spills: true}, idleAfter: 8, maxKeys: 2,
			mix: append(twice, actReset, actResetAll)},
	}
}

// byHands are the settings in which clients force breakers.
func byHands() []setting {
	bucket := []limit{{capacity: 3, interval: 2}}
	small := []limit{{capacity: 2, interval: 3}}
	more := []limit{{capacity: 5, interval: 4}}
	calls := []act{actRun, actRun, actRun, actAdmit, actAdmit, actInspect, actStep}
	forced := slices.Clip(slices.Concat(calls, calls, []act{actForce, actForce, actForce}))
	return []setting{
		{name: "forced", rules: rules{limits: bucket}, mix: append(calls, actAllow, actForce, actForce, actReset)},
		{name: "forced-breaker", rules: rules{breaker: brittlePolicy()}, mix: append(forced, actReset)},
		{name: "forced-eviction", rules: rules{limits: small, breaker: brittlePolicy(), evicts: true}, idleAfter: 2, mix: append(forced, actStep)},
		{name: "forced-spill", rules: rules{limits: bucket, breaker: brittlePolicy(), evicts: true, spills: true}, idleAfter: 8, maxKeys: 2,
			mix: append(forced, actReset, actResetAll)},
		{name: "forced-changes", known: true, rules: rules{limits: bucket, others: more, breaker: brittlePolicy()},
			mix: append(forced, actReset, actChange, actChange, actAllow)},
		{name: "forced-queue", rules: rules{limits: bucket, breaker: brittlePolicy(), waits: true, maxWait: 12, maxQueue: 4},
			mix: append(forced, actAcquire, actAllow, actStep, actStep, actCancel)},
		{name: "forced-rates", rules: rules{breaker: ofSlow()}, mix: append(forced, actReset)},
		{name: "forced-chain", rules: rules{limits: bucket}, wide: &rules{limits: small, breaker: strictPolicy()}, mix: []act{
			actAllow, actRun, actInspect, actStep, actForce, actForce, actReset,
			actChained + actAllow, actChained + actAcquire, actChained + actRun, actChained + actRun, actChained + actAdmit,
		}},
	}
}
