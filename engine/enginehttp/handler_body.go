package enginehttp

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// serveBody is ServeHTTP for a request with a body, whose client may keep Next, and with it a
// probe, waiting.
func (h *Handler) serveBody(w http.ResponseWriter, r *http.Request, s *subject, first *handlerEngine) ending {
	ticket, err := s.admit(r.Context(), h.Wait)
	if err != nil {
		return h.turnAway(w, r, s.key, first, err)
	}
	lease := newLease(r.Context(), s, ticket)
	body := watch(r.Body, -1, lease)
	end := failed
	inner := r.WithContext(r.Context()) // a copy: net/http looks at the body of r
	inner.Body = body
	body.atEnd = func() {
		if inner.Trailer == nil { // otherwise the two share the map
			inner.Trailer = r.Trailer // where net/http puts a trailer that was not announced
		}
	}
	defer func() {
		body.settle()
		handBack(r, inner)
		if end != nil && bodyToBlame(r.Context(), body.state()) {
			end = undecided
		}
		lease.done(end)
	}()
	var class ending
	class, end = h.serve(w, inner, s.key, first)
	return class
}

// handBack tells r, of which inner is a copy, what Next has made of inner, as far as net/http and
// the handlers around this one ask for that after Next. r is left alone if there is nothing to
// tell: others may be reading r.
func handBack(r, inner *http.Request) {
	if r.MultipartForm != inner.MultipartForm {
		r.MultipartForm = inner.MultipartForm // net/http removes the files
	}
	if r.Form == nil && inner.Form != nil {
		r.Form = inner.Form
	}
	if r.PostForm == nil && inner.PostForm != nil {
		r.PostForm = inner.PostForm
	}
	if r.Pattern == inner.Pattern {
		return
	}
	r.Pattern = inner.Pattern
	for _, part := range strings.Split(r.Pattern, "{")[1:] {
		name, _, _ := strings.Cut(part, "}")
		name = strings.TrimSuffix(name, "...")
		if value := inner.PathValue(name); value != "" {
			r.SetPathValue(name, value)
		}
	}
}

// bodyToBlame reports whether the client is to blame for a failure of Next. A Next that gives up
// while it waits for the body for long, as an http.TimeoutHandler does, is not to blame.
func bodyToBlame(ctx context.Context, s bodyState) bool {
	timeUp := errors.Is(ctx.Err(), context.DeadlineExceeded)
	return s.faulty || timeUp && s.outOfTime() || s.awaited && s.slow && s.owing
}
