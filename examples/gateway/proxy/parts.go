package proxy

import (
	"context"
	"errors"
	"sync"
)

// part is a part of a route that may outlive a table: an engine, or an outlet.
type part interface {
	Close(ctx context.Context) error
}

// parts counts the tables that use each part, and closes a part when no table uses the part any
// more.
type parts struct {
	mu    sync.Mutex
	users map[part]int
}

// hold notes that one more table uses a part.
func (p *parts) hold(one part) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users == nil {
		p.users = map[part]int{}
	}
	p.users[one]++
}

// release notes that one table fewer uses each of all.
func (p *parts) release(all []part) error {
	var unused []part
	p.mu.Lock()
	for _, one := range all {
		switch p.users[one] {
		case 0: // close was first
		case 1:
			delete(p.users, one)
			unused = append(unused, one)
		default:
			p.users[one]--
		}
	}
	p.mu.Unlock()
	return closeAll(context.Background(), unused) // no part waits for a request
}

// close closes all parts that are left.
func (p *parts) close(ctx context.Context) error {
	p.mu.Lock()
	var left []part
	for one := range p.users {
		left = append(left, one)
	}
	p.users = nil
	p.mu.Unlock()
	return closeAll(ctx, left)
}

func closeAll(ctx context.Context, all []part) error {
	errs := make([]error, len(all))
	for i, one := range all {
		errs[i] = one.Close(ctx)
	}
	return errors.Join(errs...)
}
