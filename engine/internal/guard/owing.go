package guard

// owing is the memory of the sketch from before the last change of the limits. The instants in the
// tables are by the limits of that time. A change leaves one bit of each: whether the bucket lacked a
// token at the change. Such a bucket counts as empty as of the change.
type owing struct {
	at     int64 // the instant of the change, or a later one at which the limits of one key changed; 0: none
	cells  []set // one for each limit
	before *past // the tables from before the change, as long as cells do not have all of them
}

// set is a set of the cells of a table, one bit each; nil is empty.
type set []uint64

func (s set) has(cell int) bool { return s != nil && s[cell/64]>>(cell%64)&1 != 0 }

func (s *set) add(cell int) {
	if *s == nil {
		*s = make(set, sketchRows*sketchWidth/64)
	}
	(*s)[cell/64] |= 1 << (cell % 64)
}

// past is the memory of the sketch from before a change.
type past struct {
	at      int64 // of the change
	full    []table
	cells   []set
	emptied int64 // the instant from which a bucket in cells was full, if nothing else came
}

// owed reports whether a cell of limit i held a debt at the change.
func (p *past) owed(i, cell int) bool {
	return i < len(p.full) && p.full[i].at(cell) > p.at ||
		i < len(p.cells) && p.cells[i].has(cell) && p.emptied > p.at
}

// written reports whether a cell in a page of limit i may hold a debt.
func (p *past) written(i, page int) bool {
	return i < len(p.full) && p.full[i] != nil && p.full[i][page] != nil || i < len(p.cells) && p.cells[i] != nil
}

// mark takes note that the bucket of limit i of h had less than all its tokens at the instant at. If that
// is after the change, all buckets that are marked count as empty as of then: that is only stricter.
func (o *owing) mark(i int, h hashed, at int64) {
	o.at = max(o.at, at)
	for i >= len(o.cells) {
		o.cells = append(o.cells, nil)
	}
	for row := range sketchRows {
		o.cells[i].add(h.index(row))
	}
}

// marked reports whether the bucket of limit i of h may have had less than all its tokens.
func (o *owing) marked(i int, h hashed) bool {
	if o.at == 0 {
		return false
	}
	for row := range sketchRows {
		cell := h.index(row)
		if !(i < len(o.cells) && o.cells[i].has(cell)) && !(o.before != nil && o.before.owed(i, cell)) {
			return false
		}
	}
	return true
}

// load is the share of the cells that are marked, as table.load.
func (o *owing) load() (load float64) {
	for _, s := range o.cells {
		n := 0
		for cell := range sampled {
			if s.has(cell) {
				n++
			}
		}
		load = max(load, float64(n)/sampled)
	}
	return load
}

// asOf returns fullAts by other limits than those of the sketch: for a bucket that has less than all its
// tokens at the instant at, minus that instant, else 0. A bucket that was empty at an earlier change has
// filled within longest, if nothing else came.
func asOf(at, longest int64, fullAts []int64) []int64 {
	var known []int64
	for _, fullAt := range fullAts {
		if fullAt > at || fullAt < 0 && Later(-fullAt, longest) > at {
			known = append(known, -at)
		} else {
			known = append(known, 0)
		}
	}
	return known
}

// change takes note that the limits change as of the instant at. Before the change, an empty bucket
// filled within longest. The time that change takes does not grow with the number of keys; settle does
// the rest.
func (s *sketch) change(at, longest int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.used {
		s.owing = owing{at: at}
		return
	}
	emptied := Later(s.owing.at, longest)
	for key, own := range s.pardons {
		s.pardons[key] = asOf(at, longest, own)
	}
	s.owing = owing{at: at, before: &past{at: at, full: s.full, cells: s.owing.cells, emptied: emptied}}
	if Planted("a spilled key that a change makes as new") {
		s.owing.before = nil
	}
	s.full = nil
}

// date says that the last change, which came at the instant since or later, counts as of the instant at.
func (s *sketch) date(since, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owing.at != since { // the limits have not changed
		return
	}
	s.owing.at = at
	if s.owing.before != nil {
		s.owing.before.at = at
	}
	for _, own := range s.pardons {
		for i := range own {
			if own[i] == -since {
				own[i] = -at
			}
		}
	}
}

// settle marks the debts in the tables from before the last change, and gives the tables up.
func (s *sketch) settle() {
	s.mu.Lock()
	before := s.owing.before
	s.mu.Unlock()
	if before == nil {
		return
	}
	cells := make([]set, max(len(before.full), len(before.cells)))
	for i := range cells {
		for page := range tablePages {
			if !before.written(i, page) {
				continue
			}
			for cell := page * pageCells; cell < (page+1)*pageCells; cell++ {
				if before.owed(i, cell) {
					cells[i].add(cell)
				}
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owing.before != before {
		return // everything has been forgotten meanwhile
	}
	for i, marked := range s.owing.cells { // since the change
		for i >= len(cells) {
			cells = append(cells, nil)
		}
		for word, bits := range marked {
			if bits != 0 {
				if cells[i] == nil {
					cells[i] = make(set, len(marked))
				}
				cells[i][word] |= bits
			}
		}
	}
	s.owing.cells, s.owing.before = cells, nil
}

// forgetLimits takes note that the limits of key, which is not known, change as of the instant at. An empty bucket
// filled within longest.
func (s *sketch) forgetLimits(key string, at, longest int64) {
	h := s.hash(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	own, pardoned := s.pardons[key]
	if !pardoned {
		if !s.owes(h) {
			return
		}
		limits := max(len(s.full), len(s.owing.cells))
		if s.owing.before != nil {
			limits = max(limits, len(s.owing.before.full), len(s.owing.before.cells))
		}
		for i := range limits {
			switch {
			case s.owing.marked(i, h):
				own = append(own, -s.owing.at)
			case i < len(s.full):
				own = append(own, s.full[i].least(h))
			default:
				own = append(own, 0)
			}
		}
	}
	s.keep(key, asOf(at, longest, own))
}
