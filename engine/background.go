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
	results := make(chan Result[T], 1)
	e.background.Lock()
	defer e.background.Unlock()
	if e.ended.Load() {
		results <- Result[T]{Err: e.refuse(key, ErrClosed, 0)}
		return results
	}
	e.begun.Add(1)
	e.calls.Go(func() error { // ends with fn; joined by Close
		defer e.begun.Add(-1)
		r := Result[T]{Err: ErrGoexit}
		defer func() { results <- r }()
		inFn := false
		defer func() {
			if inFn {
				return
			}
			if reason := recover(); reason != nil {
				r.Err = &actors.PanicError{Key: key, Value: reason, Stack: debug.Stack()}
			}
		}()
		inBackground(func() {
			r.Value, r.Err = Do(ctx, e, key, func(ctx context.Context) (T, error) {
				inFn = true
				v, err := fn(ctx)
				inFn = false
				return v, err
			})
		})
		return nil
	})
	return results
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
