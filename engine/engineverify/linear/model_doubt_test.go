package linear_test

import "github.com/limitpal/limitpal-go/engine"

// doubts are the ways in which o may be seen, the one without a doubt first.
func (r *rules) doubts(o *operation) []doubt {
	list := []doubt{{}}
	switch o.kind {
	case try:
		return append(list, doubt{held: true})
	case pass, enter:
		if o.has(release) && o.kind == enter {
			list = append(list, doubt{held: true})
		}
		for back := 1; r.published && o.asks && o.result == granted && len(r.limits) == 1 && back <= min(o.lasted, r.limits[0].interval); back++ {
			list = append(list, doubt{back: back})
		}
	case permit:
		if o.has(count) {
			list = append(list, doubt{held: true})
		}
	case release:
		if r.breaker != nil || r.evicts {
			list = append(list, doubt{kept: true})
		}
	case force:
		for back := 1; r.published && o.d > 0 && o.d < always && back <= o.lasted; back++ {
			list = append(list, doubt{back: back})
		}
	case report, count:
		if r.evicts {
			list = append(list, doubt{stray: true})
		}
		if r.rated() && o.outcome != engine.Ignore {
			list = r.rateDoubts(o, list)
		}
	}
	return list
}

// rateDoubts adds the ways in which an outcome may be seen that is judged by rates. How far from the end it
// may count is a matter of the state, see slack.
func (r *rules) rateDoubts(o *operation, list []doubt) []doubt {
	with := func(put func(d *doubt)) {
		for _, d := range list {
			put(&d)
			list = append(list, d)
		}
	}
	fine, p := o.outcome == engine.Success, r.breaker
	if o.kind == report && p.slowRate > 0 {
		with(func(d *doubt) { d.slow = true })
	}
	if o.kind == report && fine && p.threshold > 0 && !r.exact() {
		list = append(list, doubt{gated: true})
	}
	if o.kind == count && fine && r.evicts {
		list = append(list, doubt{lost: true})
	}
	if r.exact() || o.kind == report && (p.slice > 0 || o.twofold) {
		return list
	}
	most, all := 9, list
	if p.slice == 0 {
		most = p.calls
	}
	for back := 1; back <= most; back++ {
		for _, d := range all {
			if d.back = back; !d.lost && !d.gated {
				list = append(list, d)
			}
		}
	}
	return list
}

// steps appends the states that o may lead to from before.
func (r *rules) steps(after *[]any, before *state, o *operation) {
	slack := -1
	for _, d := range o.doubts {
		if d.back > 0 && (o.kind == report || o.kind == count) {
			if slack < 0 {
				slack = r.slack(before, o)
			}
			if d.back > slack {
				continue
			}
		}
		if next := r.next(before, o, d); next != nil {
			*after = append(*after, next)
		}
	}
}
