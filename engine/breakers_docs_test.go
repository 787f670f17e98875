package engine_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
	"github.com/limitpal/limitpal-go/engine"
)

// upstreamOfTheDocs is an upstream with two bad times: from 10 s to 25 s four of five calls fail, and from 40 s to 55 s a call takes 3 s. A
// healthy call takes 20 ms.
func upstreamOfTheDocs(n int, since time.Duration) (takes time.Duration, err error) {
	const s = time.Second
	switch {
	case since >= 10*s && since < 25*s && n%5 != 0:
		return 20 * time.Millisecond, errDown
	case since >= 40*s && since < 55*s:
		return 3 * s, nil
	default:
		return 20 * time.Millisecond, nil
	}
}

// drawn is the run of 70 s with ten calls a second by a policy: a column for each second, by the fate of most of its calls.
func drawn(t *testing.T, policy *breaker.Policy) string {
	const seconds, perSecond = 70, 10
	var fates [seconds]map[rune]int
	var mu sync.Mutex
	synctest.Test(t, func(t *testing.T) {
		eng := start(t, engine.Config{Breaker: policy})
		began := time.Now()
		var calls sync.WaitGroup
		for i := range seconds * perSecond {
			calls.Go(func() {
				fate := '·'
				_ = eng.Run(t.Context(), "api", func(context.Context) error {
					takes, err := upstreamOfTheDocs(i, time.Since(began))
					switch time.Sleep(takes); {
					case err != nil:
						fate = 'x'
					case takes > time.Second:
						fate = '~'
					default:
						fate = 'o'
					}
					return err
				})
				mu.Lock()
				defer mu.Unlock()
				if fates[i/perSecond] == nil {
					fates[i/perSecond] = map[rune]int{}
				}
				fates[i/perSecond][fate]++
			})
			time.Sleep(time.Second / perSecond)
		}
		calls.Wait()
	})
	var line strings.Builder
	for _, second := range fates {
		most := 'o'
		for _, fate := range "ox~·" {
			if second[fate] > second[most] {
				most = fate
			}
		}
		line.WriteRune(most)
	}
	return line.String()
}

// TestThePictureOfTheDocsIsARun: docs/breakers.md shows five rules with one upstream.
func TestThePictureOfTheDocsIsARun(t *testing.T) {
	var picture strings.Builder
	for _, rule := range []struct {
		name   string
		policy *breaker.Policy
	}{
		{"no breaker", nil},
		{"FailureThreshold 5", &breaker.Policy{FailureThreshold: 5}},
		{"FailureRate 0.5", &breaker.Policy{FailureRate: 0.5}},
		{"SlowRate 0.5, SlowAfter 1s", &breaker.Policy{SlowRate: 0.5, SlowAfter: time.Second}},
		{"both rates", &breaker.Policy{FailureRate: 0.5, SlowRate: 0.5, SlowAfter: time.Second}},
	} {
		fmt.Fprintf(&picture, "%-26s  %s\n", rule.name, drawn(t, rule.policy))
	}
	text, err := os.ReadFile("../docs/breakers.md")
	require.NoError(t, err)
	require.Contains(t, string(text), "```\n"+picture.String()+"```\n", "the run gives\n%s", picture.String())
}
