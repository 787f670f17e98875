package actors

// bounds bound the work of a system.
type bounds struct {
	chunk    int   // cells that a walk visits under one hold of the lifecycle lock
	searched int   // cells that a search for room looks at, likewise
	compared int   // cells without an actor that a search compares for the coldest
	leavers  int   // running actors that a search returns, to be asked to leave
	seats    int64 // actors that may linger at a time
	sampled  int   // actors looked at for an actor that gives up a seat
}

var (
	shippedBounds = bounds{chunk: 512, searched: 256, compared: 16, leavers: 8, seats: 1024, sampled: 8}
	drivenBounds  = bounds{chunk: 2, searched: 6, compared: 3, leavers: 2, seats: 2, sampled: 2}
)
