package engine

import (
	"context"
	"reflect"
	"runtime"
	"runtime/debug"

	"github.com/limitpal/limitpal-go/actors"
)

// Result is the end of a call that [Go] started: the results of its function.
type Result[T any] struct {
	Value T
	Err   error
}

// Go is the asynchronous [Do]: the call runs on a goroutine of its own, and exactly one Result comes on
// the channel. The Result need not be received, and the channel is never closed. Calls of Go that
// follow one another may reach the limiter in any order. If fn ends its goroutine with runtime.Goexit,
// the error is ErrGoexit. A panic of fn is not recovered. A panic outside of fn, as of Config.Clock, is
// the error, an *actors.PanicError. [Engine.Close] waits for these goroutines.
func Go[T any](ctx context.Context, e *Engine, key string, fn func(context.Context) (T, error)) <-chan Result[T] {
	return GoKey(ctx, Key{handle: &handle{eng: e, place: place{key: key}}}, fn)
}

// GoKey is [Go] for the key of a handle. For a [Chain], Close of each of its engines waits for the
// goroutine.
func GoKey[T any](ctx context.Context, k Key, fn func(context.Context) (T, error)) <-chan Result[T] {
	results := make(chan Result[T], 1)
	ended, err := k.join()
	if err != nil {
		results <- Result[T]{Err: err}
		return results
	}
	go func() { // ends with fn; joined by Close
		defer ended()
		r := Result[T]{Err: ErrGoexit}
		defer func() { results <- r }()
		inFn := false
		defer func() {
			if inFn {
				return
			}
			if reason := recover(); reason != nil {
				r.Err = &actors.PanicError{Key: k.key, Value: reason, Stack: debug.Stack()}
			}
		}()
		inBackground(func() {
			r.Value, r.Err = DoKey(ctx, k, func(ctx context.Context) (T, error) {
				inFn = true
				v, err := fn(ctx)
				inFn = false
				return v, err
			})
		})
	}()
	return results
}

// join has the engines of k wait for a goroutine that is about to start, until ended is called. The error
// is that of an engine that has ended.
func (k Key) join() (ended func(), err error) {
	if k.chain == nil {
		return k.eng.join(k.key)
	}
	if k.chain.err != nil {
		return nil, k.chain.err
	}
	var joined []func()
	ended = func() {
		for _, leave := range joined {
			leave()
		}
	}
	for i := range k.chain.links {
		l := &k.chain.links[i]
		leave, err := l.eng.join(l.key)
		if err != nil {
			ended()
			return nil, err
		}
		joined = append(joined, leave)
	}
	return ended, nil
}

// join has Close wait for a goroutine that is about to start for key, until ended is called.
func (e *Engine) join(key string) (ended func(), err error) {
	e.background.Lock()
	defer e.background.Unlock()
	if e.ended.Load() {
		return nil, e.refuse(key, ErrClosed, 0)
	}
	e.begun.Add(1)
	e.calls.Add(1)
	return e.leave, nil
}

// leave is the end of a goroutine that Close waits for.
func (e *Engine) leave() {
	e.begun.Add(-1)
	e.calls.Done()
}

// inBackground runs the call of a goroutine that Go started. Its frame on the stack is the mark of such
// a goroutine.
//
//go:noinline
func inBackground(call func()) { call() }

var markOfGo = runtime.FuncForPC(reflect.ValueOf(inBackground).Pointer()).Entry()

// insideGo reports whether the calling goroutine runs a function of Go, of any engine.
func insideGo() bool {
	var pcs [64]uintptr
	for skip := 0; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		frames := runtime.CallersFrames(pcs[:n])
		for more := n > 0; more; {
			var frame runtime.Frame
			if frame, more = frames.Next(); frame.Entry == markOfGo {
				return true
			}
		}
		if n < len(pcs) {
			return false
		}
	}
}
