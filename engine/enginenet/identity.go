package enginenet

import "net"

// identity finds out to which keys a connection of a [Listener] belongs. identity asks when the
// connection is first used, and not in Accept: the connection below may wait for its peer before
// telling an address, as behind a listener of the PROXY protocol.
type identity struct {
	conn net.Conn      // the connection below
	turn chan struct{} // holds one entry while a caller finds out

	// The other fields belong to the caller that has the turn.
	limits []Limit       // the limits of the connection; each Key is empty until known is true
	names  []naming      // for each limit
	known  bool          // the keys and the addresses are known
	asked  chan struct{} // closed when the goroutine that asks for the addresses ends; nil before
	told   addresses     // written by that goroutine
}

// naming makes a key of the addresses of a connection.
type naming func(remote, local net.Addr) string

// addresses is the answer of a connection that was asked for its addresses.
type addresses struct {
	remote, local net.Addr
	panicked      any // value of a panic in place of an answer
}

// add adds a limit with the naming of its key.
func (i *identity) add(l Limit, n naming) {
	i.limits = append(i.limits, l)
	i.names = append(i.names, n)
}

// keyed returns the limits with their keys. The error is os.ErrDeadlineExceeded or net.ErrClosed if
// d ended first. A panic of a naming, or of the connection below, continues in the caller, and
// keyed calls abandon first.
func (i *identity) keyed(d *deadline, abandon func()) ([]Limit, error) {
	if err := i.enter(d); err != nil {
		return nil, err
	}
	defer func() { <-i.turn }()
	if i.known {
		return i.limits, nil
	}
	if err := i.ask(d); err != nil {
		return nil, err
	}
	defer func() {
		if !i.known { // a panic or runtime.Goexit
			abandon()
		}
	}()
	if i.told.panicked != nil {
		panic(i.told.panicked)
	}
	for n, name := range i.names {
		i.limits[n].Key = bounded(name(i.told.remote, i.told.local))
	}
	i.known = true
	return i.limits, nil
}

// enter waits for the turn.
func (i *identity) enter(d *deadline) error {
	select {
	case i.turn <- struct{}{}:
	default:
		select {
		case i.turn <- struct{}{}:
		case <-d.Done():
			return d.Err()
		}
	}
	err := d.Err() // the previous caller may have abandoned the connection
	if err != nil {
		<-i.turn
	}
	return err
}

// ask gets the addresses. A connection of package net tells its addresses at once. A goroutine asks
// any other connection, so that deadlines and Close end the wait. That goroutine ends when the
// connection below answers; closing the connection below makes a PROXY listener's connection
// answer.
func (i *identity) ask(d *deadline) error {
	if tellsAtOnce(i.conn) {
		i.told = addresses{remote: i.conn.RemoteAddr(), local: i.conn.LocalAddr()}
		return nil
	}
	if i.asked == nil {
		i.asked = make(chan struct{})
		go func() {
			defer close(i.asked)
			defer func() { i.told.panicked = recover() }()
			i.told.remote, i.told.local = i.conn.RemoteAddr(), i.conn.LocalAddr()
		}()
	}
	select {
	case <-i.asked:
		return nil
	case <-d.Done():
		return d.Err()
	}
}

// tellsAtOnce reports whether conn tells its addresses without waiting: conn is a connection of
// package net, or a *Conn around such a connection.
func tellsAtOnce(conn net.Conn) bool {
	for {
		outer, ok := conn.(*Conn)
		if !ok {
			return definedIn("net", conn)
		}
		conn = outer.Conn
	}
}
