package actors

// segment is how many elements a slab takes memory for at a time.
const segment = 128

// slab keeps elements in no order, found by their index. A slab grows and shrinks by segments: a
// slab never copies its elements, and gives back the memory that the slab does not need.
type slab[E any] struct {
	segments []*[segment]E
	length   int
}

// len is the number of elements.
func (s *slab[E]) len() int { return s.length }

// at is the element with index i.
func (s *slab[E]) at(i int) E { return s.segments[i/segment][i%segment] }

// push adds e, whose index is then the last.
func (s *slab[E]) push(e E) {
	if s.length == len(s.segments)*segment {
		s.segments = append(s.segments, new([segment]E))
	}
	s.segments[s.length/segment][s.length%segment] = e
	s.length++
}

// remove takes out the element with index i. The last element moves to i, and is the result; it may
// be the removed element. One empty segment stays, so that coming and going at an edge costs
// nothing.
func (s *slab[E]) remove(i int) (moved E) {
	s.length--
	last := &s.segments[s.length/segment][s.length%segment]
	moved = *last
	s.segments[i/segment][i%segment] = moved
	var none E
	*last = none
	if n := s.length/segment + 2; n < len(s.segments) {
		s.segments[n] = nil
		s.segments = s.segments[:n]
	}
	return moved
}
