package actors

// segment is how many elements the ring takes memory for at a time.
const segment = 1024

// ring keeps elements in no order, found by their index. A ring grows and shrinks by segments: a
// ring never copies its elements, and gives back the memory that it does not need.
type ring[E any] struct {
	segments []*[segment]E
	length   int
}

// len is the number of elements.
func (r *ring[E]) len() int { return r.length }

// at is the element with index i.
func (r *ring[E]) at(i int) E { return r.segments[i/segment][i%segment] }

// push adds e, whose index is then the last.
func (r *ring[E]) push(e E) {
	if r.length == len(r.segments)*segment {
		r.segments = append(r.segments, new([segment]E))
	}
	r.segments[r.length/segment][r.length%segment] = e
	r.length++
}

// remove takes out the element with index i, and returns the element that has moved there from the
// end: perhaps itself. One empty segment stays, so that coming and going at an edge costs nothing.
func (r *ring[E]) remove(i int) (moved E) {
	r.length--
	last := &r.segments[r.length/segment][r.length%segment]
	moved = *last
	r.segments[i/segment][i%segment] = moved
	var none E
	*last = none
	if n := r.length/segment + 2; n < len(r.segments) {
		r.segments[n] = nil
		r.segments = r.segments[:n]
	}
	return moved
}
