package linear_test

// inFlight are the settings with a bound on the calls in flight, and nothing else. Beside a limiter or a breaker, a call may
// have a place for a moment and be refused, and a turn may take a place that has come free since it read the clock: no
// order explains that to the tick, nor what a turn that has the gate for a Reset does. There the differential test compares both dispatches.
func inFlight() []setting {
	calls := []act{actRun, actRun, actRun, actAdmit, actAdmit, actAdmit, actInspect}
	return []setting{
		{name: "places", rules: rules{places: 2}, mix: calls},
		{name: "places-and-eviction", rules: rules{places: 2, evicts: true}, idleAfter: 2, mix: append(calls, actStep, actStep)},
		{name: "places-queue", rules: rules{places: 1, waits: true, maxQueue: 2}, mix: append(calls, actStep, actCancel)},
	}
}
