package guard

const (
	tripSets  = 1 << 14
	tripWays  = 8
	tripPages = 1 << 9
)

// trips is an exact cache of the open breakers of up to 131,072 keys, 2 MB if it is full; nil is
// empty. A trip stands under the whole hash of its key, in the set that the last bits of the hash
// choose. The oldest trip of a full set is forgotten. The cache takes memory for a page of sets
// when the first trip of the page is written.
type trips []*tripPage

type tripPage [tripSets / tripPages]tripSet

// tripSet has the trips in the order in which they were put.
type tripSet [tripWays]trip

// trip is the open breaker of a key.
type trip struct {
	key     hashed // with breaker.Circuit.Growth in place of the last bits, which all keys of a set share
	probeAt int64  // the instant from which a probe is let through; 0: the place is free
}

// remnant is the memory of an open breaker; the zero remnant is that of a closed breaker.
type remnant struct {
	probeAt int64 // breaker.Circuit.ProbeAt
	growth  int   // breaker.Circuit.Growth, below tripSets
}

// put writes a trip of a key that has none. In a full set the trip with the earliest instant is
// lost, perhaps this one; of several such trips the first that was put.
func (t *trips) put(key hashed, open remnant) {
	if *t == nil {
		*t = make(trips, tripPages)
	}
	page := &(*t)[key%tripPages]
	if *page == nil {
		*page = new(tripPage)
	}
	set := &(*page)[key%tripSets/tripPages]
	least := 0
	for i := range set {
		if set[i].probeAt < set[least].probeAt {
			least = i
		}
	}
	if set[least].probeAt <= open.probeAt {
		copy(set[least:], set[least+1:])
		set[tripWays-1] = trip{key - key%tripSets + hashed(open.growth), open.probeAt} //nolint:gosec // small
	}
}

// find returns the trip of key, or nil.
func (t trips) find(key hashed) *trip {
	if t == nil || t[key%tripPages] == nil {
		return nil
	}
	set := &t[key%tripPages][key%tripSets/tripPages]
	for i := range set {
		if set[i].key/tripSets == key/tripSets && set[i].probeAt > 0 {
			return &set[i]
		}
	}
	return nil
}

// remnant returns the remnant of t.
func (t *trip) remnant() remnant {
	if t == nil {
		return remnant{}
	}
	return remnant{t.probeAt, int(t.key % tripSets)}
}

// take returns the remnant of the breaker of key, and removes the trip.
func (t trips) take(key hashed) remnant {
	found := t.find(key)
	if found == nil {
		return remnant{}
	}
	open := found.remnant()
	if !Planted("a spilled breaker that recovered and is open again") {
		*found = trip{}
	}
	return open
}
