package admin

import (
	"net"
	"sync"
)

// bounded is a listener with a largest number of connections. Further connections wait in the queue
// of the system.
type bounded struct {
	net.Listener
	places chan struct{} // has an element for each connection
	closed chan struct{}
	once   sync.Once
}

func newBounded(l net.Listener, most int) *bounded {
	return &bounded{Listener: l, places: make(chan struct{}, most), closed: make(chan struct{})}
}

// Accept waits for a place, and then for a connection.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.places <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	conn, err := b.Listener.Accept()
	if err != nil {
		<-b.places
		return nil, err
	}
	return &placed{Conn: conn, places: b.places}, nil
}

// Close ends Accept, too.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

// placed is a connection with a place.
type placed struct {
	net.Conn
	places <-chan struct{}
	once   sync.Once
}

// Close gives the place back.
func (p *placed) Close() error {
	err := p.Conn.Close()
	p.once.Do(func() { <-p.places })
	return err
}
