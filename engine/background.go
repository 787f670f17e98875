package engine

import (
	"bytes"
	"context"
	"runtime"
)

// Result is the end of a call that [Go] started: the results of its function.
type Result[T any] struct {
	Value T
	Err   error
}

// Go is the asynchronous [Do]: the call runs on a goroutine of its own, and exactly one Result comes on
// the channel. The Result need not be received, and the channel is never closed. Calls of Go that
// follow one another may reach the limiter in any order. If fn ends its goroutine with runtime.Goexit,
// the error is ErrGoexit. A panic of fn is not recovered. [Engine.Close] waits for these goroutines.
func Go[T any](ctx context.Context, e *Engine, key string, fn func(context.Context) (T, error)) <-chan Result[T] {
	results := make(chan Result[T], 1)
	e.background.Lock()
	defer e.background.Unlock()
	if e.ended.Load() {
		results <- Result[T]{Err: e.reject(key, ErrClosed, 0)}
		return results
	}
	e.calls.Go(func() error { // ends with fn; joined by Close
		self := goroutine()
		e.inside.Store(self, true)
		defer e.inside.Delete(self)
		r := Result[T]{Err: ErrGoexit}
		defer func() { results <- r }()
		r.Value, r.Err = Do(ctx, e, key, fn)
		return nil
	})
	return results
}

// goroutine returns the number of the calling goroutine, as stack traces show it.
func goroutine() string {
	var text [64]byte
	_, rest, _ := bytes.Cut(text[:runtime.Stack(text[:], false)], []byte(" ")) // "goroutine 7 [running]:"
	number, _, _ := bytes.Cut(rest, []byte(" "))
	return string(number)
}
