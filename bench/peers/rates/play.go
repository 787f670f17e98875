package rates

import (
	"testing/synctest"
	"time"
)

// Play puts t to new subjects, all at the same instants, and returns the decisions of each. Play
// sleeps, and must be called in a testing/synctest bubble.
func Play(t Trace, subjects ...func(Setting) Subject) [][]bool {
	begin := time.Now().Truncate(Slice).Add(Slice)
	time.Sleep(time.Until(begin.Add(t.Calls[0].At)))
	made := make([]Subject, len(subjects))
	ends, passed := make([][]func(bool), len(subjects)), make([][]bool, len(subjects))
	for i, s := range subjects {
		made[i] = s(t.Setting)
		ends[i], passed[i] = make([]func(bool), len(t.Calls)), make([]bool, len(t.Calls))
	}
	for _, e := range t.events() {
		time.Sleep(time.Until(begin.Add(e.at)))
		for i, s := range made {
			if !e.ends {
				ends[i][e.call], passed[i][e.call] = s.Begin()
			} else if passed[i][e.call] {
				ends[i][e.call](t.Calls[e.call].Fails)
			}
		}
		synctest.Wait() // a subject may have goroutines
	}
	return passed
}
