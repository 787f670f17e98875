package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

const upstreamKey = "192.0.2.1:9000"

// forcing returns the target of a POST.
func forcing(engine, key, state, period string) string {
	return "/debug/force?" + url.Values{"engine": {engine}, "key": {key}, "state": {state}, "for": {period}}.Encode()
}

// forced returns the answer to a POST that forces a key.
func forced(t *testing.T, rec *httptest.ResponseRecorder) forceReport {
	t.Helper()
	require.Equal(t, http.StatusOK, rec.Code, rec.Body)
	require.Equal(t, "application/json", rec.Header().Get("Content-Type"))
	require.NotContains(t, rec.Body.String(), "secret")
	var got forceReport
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &got))
	return got
}

// An operator forces a breaker open and closed, for a time or until the operator ends the state.
func TestForce(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shown) {
		calls := guard(t, s.gateway, "api", "upstream").Engine
		report := forced(t, called(s.Server, http.MethodPost, forcing("upstream", upstreamKey, "open", "30s")))
		require.Equal(t, "api", report.Route)
		require.Equal(t, "upstream", report.Engine)
		require.Equal(t, &keyReport{Key: upstreamKey, Known: true, Stage: "breaker", RetryIn: 30, Breaker: "open", Forced: true, OpenFor: 30,
			Limits: []limitReport{}}, report.Key)
		pass := func() error { return calls.Run(t.Context(), upstreamKey, func(context.Context) error { return nil }) }
		require.ErrorIs(t, pass(), breaker.ErrOpen)
		time.Sleep(30*time.Second - time.Nanosecond) // of the bubble
		require.ErrorIs(t, pass(), breaker.ErrOpen)
		time.Sleep(time.Nanosecond) // of the bubble
		require.NoError(t, pass())

		report = forced(t, called(s.Server, http.MethodPost, forcing("upstream", upstreamKey, "closed", "1h")))
		require.True(t, report.Key.Forced)
		require.True(t, report.Key.Passes)
		for range 3 {
			fail(t, guard(t, s.gateway, "api", "upstream"), upstreamKey)
		}
		report = forced(t, called(s.Server, http.MethodPost, "/debug/force?engine=upstream&for=0&route=api&key="+upstreamKey))
		require.False(t, report.Key.Forced)
		fail(t, guard(t, s.gateway, "api", "upstream"), upstreamKey)
		require.ErrorIs(t, pass(), breaker.ErrOpen, "the breaker counts again")
		forced(t, called(s.Server, http.MethodPost, "/debug/force?engine=upstream&for=0&route=api&key="+upstreamKey))
		require.ErrorIs(t, pass(), breaker.ErrOpen, "a breaker that nobody has forced stays as it is")

		conn := s.send(t, "POST "+forcing("upstream", upstreamKey, "open", "30s")+" HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n")
		status, body := answer(t, conn)
		require.Equal(t, http.StatusOK, status, body)
		events := s.send(t, fmt.Sprintf(get, "/debug/events?since=0"))
		synctest.Wait()
		require.NoError(t, s.gateway.Close(t.Context()))
		s.Close()
		_, body = answer(t, events)
		require.Equal(t, 3, strings.Count(body, `"kind":"forced"`), body)
	})
}

// A key that may be a secret is forced by its value or its hash. The hash of another start is no key.
func TestForceOfAHiddenKey(t *testing.T) {
	g := gatewayOf(t, byKey)
	s := &Server{gateway: g, mayForce: true}
	clients := guard(t, g, "api", "client")
	hash := clients.Shown("secret")
	rec := called(s, http.MethodPost, forcing("client", hash, "open", "1h"))
	require.Equal(t, http.StatusNotFound, rec.Code)
	require.Equal(t, "key: neither a key that the engine knows, nor the hash of one\n", rec.Body.String())
	clients.Engine.Allow("secret")
	for _, name := range []string{hash, "secret"} {
		report := forced(t, called(s, http.MethodPost, forcing("client", name, "open", "1h")))
		require.Equal(t, hash, report.Key.Key)
		state, _ := clients.Engine.Inspect("secret")
		require.True(t, state.Forced)
		forced(t, called(s, http.MethodPost, forcing("client", name, "open", "0")))
		state, _ = clients.Engine.Inspect("secret")
		require.False(t, state.Forced)
	}
	forced(t, called(s, http.MethodPost, forcing("client", "new secret", "open", "1h")))
	state, known := clients.Engine.Inspect("new secret")
	require.True(t, known && state.Forced)
	require.True(t, reports(t, s, "/debug/keys?key=new+secret")[1].Key.Forced)
}

// Without leave in the file nothing can be forced.
func TestForceNeedsLeave(t *testing.T) {
	g := gatewayOf(t, byKey)
	rec := called(&Server{gateway: g}, http.MethodPost, forcing("upstream", upstreamKey, "open", "30s"))
	require.Equal(t, http.StatusForbidden, rec.Code)
	require.Equal(t, "forcing is off; the file of the gateway has no \"admin_force\": true\n", rec.Body.String())
	_, known := guard(t, g, "api", "upstream").Engine.Inspect(upstreamKey)
	require.False(t, known)
}

func TestBadForces(t *testing.T) {
	g := gatewayOf(t, byKey, `{"name": "site", "path": "/", "upstream": "http://192.0.2.1:9001", "limiter": {"rate": "1/h"}}`)
	s := &Server{gateway: g, mayForce: true}
	const example = `: missing, as in "engine=upstream&key=127.0.0.1:9000&state=open&for=30s"`
	for _, row := range []struct {
		target string
		status int
		want   string
	}{
		{"/debug/force", http.StatusBadRequest, "engine" + example},
		{"/debug/force?engine=upstream&state=open&for=1s", http.StatusBadRequest, "key" + example},
		{forcing("upstream", upstreamKey, "open", ""), http.StatusBadRequest, "for" + example},
		{forcing("upstream", upstreamKey, "open", "30"), http.StatusBadRequest,
			`for = "30": must be a time such as "30s" or "10m", at most 2^61 ns (73 years); 0 ends a forced state`},
		{forcing("upstream", upstreamKey, "open", "-1s"), http.StatusBadRequest,
			`for = "-1s": must be a time such as "30s" or "10m", at most 2^61 ns (73 years); 0 ends a forced state`},
		{forcing("upstream", upstreamKey, "open", "700000h"), http.StatusBadRequest,
			`for = "700000h": must be a time such as "30s" or "10m", at most 2^61 ns (73 years); 0 ends a forced state`},
		{forcing("upstream", upstreamKey, "half-open", "1s"), http.StatusBadRequest, `state = "half-open": must be open or closed`},
		{forcing("upstream", upstreamKey, "half-open", "0"), http.StatusBadRequest, `state = "half-open": must be open or closed`},
		{"/debug/force?engine=upstream&for=1s&key=" + upstreamKey, http.StatusBadRequest, `state = "": must be open or closed`},
		{"/debug/force?engin=upstream", http.StatusBadRequest, `"engin": unknown parameter; known are route, engine, key, state, for`},
		{"/debug/force?key=a&key=b", http.StatusBadRequest, `key: given 2 times`},
		{forcing("breaker", upstreamKey, "open", "1s"), http.StatusNotFound,
			`engine = "breaker": no such engine; there are api/address, api/client, api/upstream, site/client`},
		{forcing("upstream", upstreamKey, "open", "1s") + "&route=site", http.StatusNotFound, `engine = "upstream": no such engine; there are site/client`},
		{forcing("upstream", upstreamKey, "open", "1s") + "&route=apy", http.StatusNotFound, `route = "apy": no such route with a limiter, a breaker or retries`},
		{forcing("client", "192.0.2.7", "open", "1s"), http.StatusNotFound,
			`engine = "client": several routes have such an engine; name the route, as in "route=api"`},
		{forcing("upstream", "192.0.2.1", "open", "1s"), http.StatusNotFound, `key: the engine upstream of route api has no keys of that kind`},
	} {
		rec := called(s, http.MethodPost, row.target)
		require.Equal(t, row.status, rec.Code, row.target)
		require.Equal(t, row.want+"\n", rec.Body.String(), row.target)
	}
	rec := called(s, http.MethodGet, forcing("upstream", upstreamKey, "open", "1s"))
	require.Equal(t, http.StatusMethodNotAllowed, rec.Code)
	require.Equal(t, "POST", rec.Header().Get("Allow"))
	for _, one := range g.Guards() {
		require.Zero(t, one.Engine.Stats().ForcedKeys)
	}

	require.NoError(t, g.Close(t.Context()))
	rec = called(s, http.MethodPost, forcing("upstream", upstreamKey, "open", "1s"))
	require.Equal(t, http.StatusServiceUnavailable, rec.Code)
	require.Equal(t, "engine: closed\n", rec.Body.String())
}
