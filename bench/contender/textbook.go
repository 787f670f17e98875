package contender

import (
	"context"
	"sync"
)

// textbookActor is the actor as textbooks have it: a goroutine per key that owns the key's state. A caller asks, with a
// reply channel from a pool, and reports the outcome one way.
func textbookActor() Contender {
	c := model("textbook-actor", whatModelsCannot+"; a goroutine per key for ever", func(s Settings) Guard {
		g := &textbookGuard{rules: newRules(s)}
		g.replies.New = func() any { return make(chan textbookReply, 1) }
		return g
	})
	c.Heavy = true
	return c
}

const textbookMailbox = 16

type textbookGuard struct {
	partial
	rules   rules
	keys    syncMap[chan textbookMessage]
	replies sync.Pool // of chan textbookReply, empty
	actors  sync.WaitGroup
}

type textbookMessage struct {
	kind       textbookKind
	outcome    outcome
	generation uint32
	reply      chan<- textbookReply // of capacity 1
}

type textbookKind uint8

const (
	askLimiter textbookKind = iota
	askAll
	report
)

type textbookReply struct {
	generation uint32
	err        error
}

func (g *textbookGuard) find(key string) chan<- textbookMessage {
	inbox, ok := g.keys.Load(key)
	if ok {
		return inbox
	}
	inbox, ok = g.keys.LoadOrStore(key, make(chan textbookMessage, textbookMailbox))
	if !ok {
		g.actors.Go(func() { g.act(inbox) }) // until Close
	}
	return inbox
}

// act is the life of one actor.
func (g *textbookGuard) act(inbox <-chan textbookMessage) {
	var s state
	for m := range inbox {
		switch m.kind {
		case askLimiter:
			var r textbookReply
			if !s.take(&g.rules, g.rules.now()) {
				r.err = ErrLimited
			}
			m.reply <- r
		case askAll:
			var r textbookReply
			r.generation, r.err = s.admit(&g.rules, g.rules.now())
			m.reply <- r
		case report:
			s.report(&g.rules, m.generation, m.outcome)
		}
	}
}

func (g *textbookGuard) ask(inbox chan<- textbookMessage, kind textbookKind) textbookReply {
	reply := g.replies.Get().(chan textbookReply)
	inbox <- textbookMessage{kind: kind, reply: reply}
	r := <-reply
	g.replies.Put(reply)
	return r
}

func (g *textbookGuard) Allow(key Key) bool { return g.ask(g.find(key.Name), askLimiter).err == nil }

func (g *textbookGuard) Run(ctx context.Context, key Key, fn func(context.Context) error) error {
	err := g.attempt(ctx, key.Name, fn)
	if err == nil || refused(err) {
		return err
	}
	return g.rules.again(ctx, err, func() error { return g.attempt(ctx, key.Name, fn) })
}

func (g *textbookGuard) attempt(ctx context.Context, key string, fn func(context.Context) error) error {
	inbox := g.find(key)
	r := g.ask(inbox, askAll)
	if r.err != nil {
		return r.err
	}
	o := failure
	defer func() { inbox <- textbookMessage{kind: report, generation: r.generation, outcome: o} }()
	err := fn(ctx)
	o = judge(ctx, err)
	return err
}

func (g *textbookGuard) Close() error {
	g.keys.m.Range(func(_, inbox any) bool {
		close(inbox.(chan textbookMessage))
		return true
	})
	g.actors.Wait()
	return nil
}
