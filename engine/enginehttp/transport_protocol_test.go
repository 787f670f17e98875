package enginehttp_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// quiet is the log of servers for which things go wrong on purpose.
var quiet = log.New(io.Discard, "", 0)

// startUpstream2 is startUpstream with HTTP/2.
func startUpstream2(t *testing.T, handle func(n int64, w http.ResponseWriter, r *http.Request)) *upstreamServer {
	u := newUpstream(handle)
	u.EnableHTTP2 = true
	u.Config.ErrorLog = quiet
	u.StartTLS()
	t.Cleanup(u.Close)
	return u
}

func TestHTTP2(t *testing.T) {
	text := strings.Repeat("0123456789", 10_000)
	u := startUpstream2(t, func(n int64, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if n%3 != 0 {
			respond(w, http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(body)
	})
	for _, timeout := range []time.Duration{0, time.Minute} {
		client, tr := u.guarded(transportEngine(t, engine.Config{Retry: thrice}))
		tr.AttemptTimeout = timeout
		before := u.requests.Load()
		resp, err := client.Do(newRequest(t, "PUT", u.URL, strings.NewReader(text)))
		require.NoError(t, err)
		require.Equal(t, 2, resp.ProtoMajor)
		require.Equal(t, text, readAll(t, resp))
		require.EqualValues(t, 3, u.requests.Load()-before)
	}
}

func TestHTTP2TimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		base := pipeTransport(t, true, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch requests++; requests {
			case 1:
				return // so that there is a connection
			case 4:
				w.WriteHeader(http.StatusOK)
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		}))
		eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
		tr := &enginehttp.Transport{Engine: eng, Base: base}
		client := &http.Client{Transport: tr}
		resp, err := client.Get("http://h/")
		require.NoError(t, err)
		require.Equal(t, 2, resp.ProtoMajor)
		readAll(t, resp)

		tr.AttemptTimeout = 300 * time.Millisecond
		begun := time.Now()
		resp, err = client.Get("http://h/")
		require.NoError(t, err)
		require.Equal(t, 600*time.Millisecond, time.Since(begun).Truncate(time.Millisecond))
		require.Equal(t, 4, requests)
		_, err = io.ReadAll(resp.Body)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "attempt not done")
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 900*time.Millisecond, time.Since(begun).Truncate(time.Millisecond))
	})
}

// TestRedirectsAndCookies are the http.Client's, above the Transport.
func TestRedirectsAndCookies(t *testing.T) {
	u := startUpstream(t, func(n int64, w http.ResponseWriter, r *http.Request) {
		switch {
		case n%2 == 1: // every request once in vain, and what it says all the same
			http.SetCookie(w, &http.Cookie{Name: "vain", Value: "yes"})
			respond(w, http.StatusServiceUnavailable)
		case r.URL.Path == "/from":
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "from"})
			http.Redirect(w, r, "/to", http.StatusTemporaryRedirect)
		case r.URL.Path == "/to":
			body, _ := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(w, "%s, %s", body, r.Header.Get("Cookie"))
		}
	})
	client, tr := u.guarded(transportEngine(t, engine.Config{Retry: thrice}))
	tr.AttemptTimeout = time.Minute
	client.Jar, _ = cookiejar.New(nil)
	resp, err := client.Do(newRequest(t, "PUT", u.URL+"/from", strings.NewReader("body")))
	require.NoError(t, err)
	require.Equal(t, "body, seen=from", readAll(t, resp), "cookies of a response that was discarded count as little as it does")
	require.Equal(t, "/to", resp.Request.URL.Path)
	require.EqualValues(t, 4, u.requests.Load())
}

func TestALoopOfRedirectsIsNotTriedAgain(t *testing.T) {
	u := startUpstream(t, func(_ int64, w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	client, _ := u.guarded(transportEngine(t, engine.Config{Retry: thrice}))
	resp, err := client.Get(u.URL)
	require.ErrorContains(t, err, "10 redirects")
	require.NoError(t, resp.Body.Close())
	require.EqualValues(t, 10, u.requests.Load())
}

func TestTrailersAndExpectations(t *testing.T) {
	u := startUpstream(t, func(n int64, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			respond(w, http.StatusServiceUnavailable) // before the body was asked for: the client does not send it
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		respond(w, http.StatusOK)
		w.Header().Set("X-Sum", r.Header.Get("Expect")+" "+r.Trailer.Get("X-Sum"))
	})
	u.Client().Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	for _, timeout := range []time.Duration{0, time.Minute} {
		u.requests.Store(0)
		client, tr := u.guarded(transportEngine(t, engine.Config{Retry: thrice}))
		tr.AttemptTimeout = timeout
		req := newRequest(t, "PUT", u.URL, strings.NewReader("body"))
		req.ContentLength = -1 // chunked, for the trailer
		req.Header.Set("Expect", "100-continue")
		req.Trailer = http.Header{"X-Sum": {"42"}}
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.Equal(t, "answer 200", readAll(t, resp))
		require.Equal(t, "100-continue 42", resp.Trailer.Get("X-Sum"))
		require.EqualValues(t, 2, u.requests.Load())
	}
}

// TestSwitchingProtocols leaves a connection that can be used in both directions.
func TestSwitchingProtocols(t *testing.T) {
	u := startUpstream(t, func(_ int64, w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw.Reader) // until the client ends its direction
		_, _ = io.WriteString(conn, "bye\n")
	})
	for _, timeout := range []time.Duration{0, time.Minute} {
		t.Run(timeout.String(), func(t *testing.T) {
			_, tr := u.guarded(transportEngine(t, engine.Config{Retry: thrice}))
			tr.AttemptTimeout = timeout
			req := newRequest(t, "GET", u.URL, nil)
			req.Header.Set("Connection", "Upgrade")
			req.Header.Set("Upgrade", "echo")
			resp, err := tr.RoundTrip(req)
			require.NoError(t, err)
			require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
			conn := resp.Body.(io.ReadWriteCloser)
			_, err = io.WriteString(conn, "hello\n")
			require.NoError(t, err)
			lines := bufio.NewReader(conn)
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "hello\n", line)
			require.NoError(t, conn.(interface{ CloseWrite() error }).CloseWrite())
			line, err = lines.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "bye\n", line)
			require.NoError(t, conn.Close())
		})
	}
}
