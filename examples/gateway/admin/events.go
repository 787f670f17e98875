package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// eventLine is the JSON of an event. Fields that do not apply are left out.
type eventLine struct {
	Seq    uint64     `json:"seq"`
	At     time.Time  `json:"at"`
	Kind   string     `json:"kind"`
	Route  string     `json:"route,omitempty"`
	Engine string     `json:"engine"`
	Key    string     `json:"key,omitempty"`
	From   string     `json:"from,omitempty"`
	To     string     `json:"to,omitempty"`
	Reason string     `json:"reason,omitempty"`
	Until  *time.Time `json:"until,omitempty"`
}

func lineOf(e *proxy.Event) eventLine {
	line := eventLine{Seq: e.Seq, At: e.At, Kind: e.Kind.String(), Route: e.Route, Engine: e.Engine, Key: e.Key}
	if e.From != e.To {
		line.From, line.To = e.From.String(), e.To.String()
	}
	if e.Reason != nil {
		line.Reason = e.Reason.Error()
	}
	if !e.Until.IsZero() {
		line.Until = &e.Until
	}
	return line
}

// events writes each event in a line, until the client leaves, takes nothing for the time of
// patience, or the gateway ends. With since=N the stream begins with the event after number N that
// is kept, and without since with the next event.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	query, err := queryOf(r, "since")
	since := ^uint64(0) // no event has had that number
	if err == nil && query.Has("since") {
		if since, err = strconv.ParseUint(query.Get("since"), 10, 64); err != nil {
			err = fmt.Errorf("since = %q: must be the number of an event, 0 for all that are kept", query.Get("since"))
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	events := s.gateway.EventsSince(r.Context(), since)
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := http.NewResponseController(w)
	if r.Method == http.MethodHead || out.Flush() != nil {
		return
	}
	lines := json.NewEncoder(w)
	for e := range events {
		if out.SetWriteDeadline(time.Now().Add(patience)) != nil || lines.Encode(lineOf(&e)) != nil || out.Flush() != nil {
			return
		}
	}
}

// queryOf returns the parameters of a request. Each must be one of known, and come once.
func queryOf(r *http.Request, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("the query of the URL: %w", err)
	}
	rest := len(query)
	for _, name := range known {
		if values := query[name]; len(values) > 1 {
			return nil, fmt.Errorf("%s: given %d times", name, len(values))
		} else if len(values) == 1 {
			rest--
		}
	}
	if rest > 0 {
		for name := range query {
			if !slices.Contains(known, name) {
				return nil, fmt.Errorf("%q: unknown parameter; known are %s", name, strings.Join(known, ", "))
			}
		}
	}
	return query, nil
}
