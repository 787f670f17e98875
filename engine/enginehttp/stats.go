package enginehttp

// HandlerStats are figures of a Handler; see [Handler.Stats]. InFlight is a present number. The
// other figures count from the first request on, and never fall.
//
// Each request counts once, when ServeHTTP ends: as Status1xx to Status5xx if Next has answered; as
// Limited, Unavailable, GaveUp or BadRequest if the Handler has answered; or else as Aborted. So
// the ten counters add up to the calls of ServeHTTP that have ended, and are a fixed set of series
// for a system of metrics, whatever statuses Next sends.
type HandlerStats struct {
	InFlight int // requests in ServeHTTP now: in Next, in the queue, or being refused

	// Status1xx counts 101 Switching Protocols, and the connections that Next took over by Hijack
	// before Next sent a status. In this and the next counters the final status decides, also if
	// the client had left before the end.
	Status1xx uint64
	Status2xx uint64 // also requests for which Next wrote nothing, which net/http answers 200
	Status3xx uint64
	Status4xx uint64 // without the refusals of this Handler
	Status5xx uint64 // likewise; and a status above 599, as RFC 9110 has clients treat it

	Limited     uint64 // requests answered 429: the limiter refused
	Unavailable uint64 // requests answered 503: breaker, queue, number of keys or shutdown refused
	GaveUp      uint64 // requests answered 503: the context ended in the queue
	BadRequest  uint64 // requests answered 400: Key or Chain could not tell the key

	// Aborted counts the requests that ended in a panic, of Next or another function of yours or
	// because of an invalid field, or in runtime.Goexit. A panic with http.ErrAbortHandler counts,
	// also after a status was sent: the client has not got the whole answer.
	Aborted uint64
}

// Stats returns the Handler's figures. With a [Handler.Refuse], Limited and Unavailable count the
// refusals that Refuse answers, with any status. While requests run, the figures are of slightly
// different moments.
func (h *Handler) Stats() HandlerStats {
	n := h.tally.ended.read()
	return HandlerStats{
		InFlight:  int(h.tally.inFlight.Load()),
		Status1xx: n[1], Status2xx: n[2], Status3xx: n[3], Status4xx: n[4], Status5xx: n[5],
		Limited: n[endLimited], Unavailable: n[endUnavailable], GaveUp: n[endGaveUp], BadRequest: n[endInvalid],
		Aborted: n[endAborted],
	}
}

// TransportStats are figures of a Transport; see [Transport.Stats]. InFlight is a present number.
// The other figures count from the first request on, and never fall. Both groups of counters are a
// fixed set of series for a system of metrics, whatever statuses upstreams send.
type TransportStats struct {
	InFlight int // requests in RoundTrip now: in an attempt, in the queue, or between two attempts

	// Each request counts once in this group, when RoundTrip ends: by the class of the status that
	// RoundTrip returned, or else by the reason.
	Status1xx   uint64 // 101 Switching Protocols
	Status2xx   uint64
	Status3xx   uint64
	Status4xx   uint64
	Status5xx   uint64 // also a status that is not from 100 to 599, as RFC 9110 asks
	Failed      uint64 // an error after an attempt
	Limited     uint64 // refused by the limiter before an attempt
	Unavailable uint64 // refused by breaker, queue, number of keys or shutdown before an attempt
	GaveUp      uint64 // the context ended before an attempt
	Invalid     uint64 // no attempt, because of an invalid field or an error of Chain
	Aborted     uint64 // a panic or runtime.Goexit, of Base or of a function of yours

	// Each attempt counts once in this group, when Base returns.
	Attempts1xx     uint64 // by the class of the status, as above
	Attempts2xx     uint64
	Attempts3xx     uint64
	Attempts4xx     uint64
	Attempts5xx     uint64
	AttemptsFailed  uint64 // an error in place of a status
	AttemptsAborted uint64 // a panic or runtime.Goexit of Base
}

// Stats returns the Transport's figures. The body of a response is read after RoundTrip, and counts
// for nothing. An http.Client calls RoundTrip once more for each redirect. While requests run, the
// figures are of slightly different moments.
func (t *Transport) Stats() TransportStats {
	n := t.tally.ended.read()
	attempts := t.attempts.read() // afterwards, so that they include those of all requests in n
	return TransportStats{
		InFlight:  int(t.tally.inFlight.Load()),
		Status1xx: n[1], Status2xx: n[2], Status3xx: n[3], Status4xx: n[4], Status5xx: n[5], Failed: n[endFailed],
		Limited: n[endLimited], Unavailable: n[endUnavailable], GaveUp: n[endGaveUp], Invalid: n[endInvalid],
		Aborted:     n[endAborted],
		Attempts1xx: attempts[1], Attempts2xx: attempts[2], Attempts3xx: attempts[3], Attempts4xx: attempts[4], Attempts5xx: attempts[5],
		AttemptsFailed: attempts[endFailed], AttemptsAborted: attempts[endAborted],
	}
}
