package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/limitpal/limitpal-go/actors"
	"github.com/limitpal/limitpal-go/engine/internal/guard"
)

// await receives the answer, or leaves when ctx or the engine of a link ends. If they race, the answer
// wins.
func (e *Engine) await(
	ctx context.Context, done <-chan struct{}, c *guard.Cell, r *guard.Request, d *guard.Demand, links []link,
) (guard.Answer, error) {
	if done == nil && links == nil {
		a := e.answer(r)
		e.behavior.Release(r)
		return a, nil
	}
	if e.driver != nil {
		links := slices.Clone(links) // else what the caller of a chain has got of each key would move to the heap
		e.driver.Wait(func() bool { return len(r.Answered()) > 0 || closed(done) || endedLink(links) != nil })
	}
	var a guard.Answer
	answered := false
	if links == nil {
		select {
		case a = <-r.Answered():
			answered = true
		case <-done:
		}
	} else {
		a, answered = receive(r.Answered(), done, links)
	}
	if !answered {
		if r.Leave() {
			e.cancelWait(c, r)
			if l := endedLink(links); l != nil {
				return guard.Answer{}, l.eng.refuse(l.key, ErrClosed, 0)
			}
			return guard.Answer{}, e.leftFor(ctx, d)
		}
		a = e.answer(r) // the actor has claimed r, and is about to answer
	}
	e.behavior.Release(r)
	return a, nil
}

// answer receives the answer of a request whose caller does not leave.
func (e *Engine) answer(r *guard.Request) guard.Answer {
	if e.driver != nil {
		e.driver.Wait(func() bool { return len(r.Answered()) > 0 })
	}
	return <-r.Answered()
}

// cancelWait tells the actor that the caller of r has left, so that the caller's slot in the queue is
// free. From here on the actor owns r, in the mailbox or in the queue.
func (e *Engine) cancelWait(c *guard.Cell, r *guard.Request) {
	err := e.system.Send(context.Background(), c, guard.Message{Kind: guard.CancelWait, Request: r})
	if errors.Is(err, actors.ErrRetired) {
		e.behavior.Release(r) // the cell could not have retired without having seen that r was left
	}
}
