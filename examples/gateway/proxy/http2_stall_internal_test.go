package proxy

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/breaker"
)

// large is the header of a request that does not fit into smallBuffers.
func large() http.Header {
	return http.Header{"X-Large": {strings.Repeat("x", 60<<10)}}
}

// smallBuffers has kernels keep little of what an upstream does not read.
func smallBuffers(g *Gateway) {
	base := g.table.Load().routes[0].base
	dial := base.DialContext
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if buffered, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
			_ = buffered.SetWriteBuffer(1)
		}
		return conn, err
	}
}

// refuse refuses every stream of p.
func refuse(p *peer) {
	p.serve(nil, func(f frame) bool {
		if f.kind == frameHeaders {
			p.write(frameReset, 0, f.stream, []byte{0, 0, 0, refusedStream})
		}
		return true
	})
}

// everyFrame serves p, and answers every frame of a stream with one more.
func everyFrame(p *peer, kind, flags byte, stream bool, payload []byte) {
	p.serve(nil, func(f frame) bool {
		number := f.stream
		if !stream {
			number = 0
		}
		p.write(kind, flags, number, payload)
		return true
	})
}

// http2Stalls are the places at which an upstream can stall, with the bodies of the requests that
// come there.
var http2Stalls = map[string]struct {
	handle func(*testing.T, *peer)
	body   int
}{
	"no settings":                 {func(t *testing.T, p *peer) { p.hold(t) }, 0},
	"no answer":                   {func(_ *testing.T, p *peer) { p.serve(nil, ignore) }, 0},
	"no streams":                  {func(_ *testing.T, p *peer) { p.serve([]byte{0, 3, 0, 0, 0, 0}, ignore) }, 0},
	"refused streams":             {func(_ *testing.T, p *peer) { refuse(p) }, 0},
	"refused streams with a body": {func(_ *testing.T, p *peer) { refuse(p) }, 5},
	"half a header":               {func(_ *testing.T, p *peer) { everyFrame(p, frameHeaders, 0, true, ok) }, 0},
	"no window":                   {func(_ *testing.T, p *peer) { p.serve([]byte{0, 4, 0, 0, 0, 0}, ignore) }, 300 << 10},
	"a window used up":            {func(_ *testing.T, p *peer) { p.serve(nil, ignore) }, 300 << 10},
	"goaway and silence":          {func(_ *testing.T, p *peer) { everyFrame(p, frameGoAway, 0, false, []byte{0, 0, 0, 1, 0, 0, 0, 0}) }, 0},
	"goaway on each connection": {func(_ *testing.T, p *peer) {
		time.Sleep(10 * time.Millisecond) // of the bubble, in which connections would otherwise take no time
		everyFrame(p, frameGoAway, 0, false, make([]byte, 8))
	}, 0},
	"hints without an end": {func(t *testing.T, p *peer) {
		p.serve(nil, func(f frame) bool {
			for t.Context().Err() == nil {
				p.write(frameHeaders, flagEndHeaders, f.stream, []byte("\x08\x03103"))
				time.Sleep(10 * time.Millisecond) // of the bubble
			}
			return false
		})
	}, 0},
}

func ignore(frame) bool { return true }

// An upstream that stalls, at any place, holds a request for the time of timeout and no longer, and
// has failed.
func TestTimeoutHoldsForHTTP2(t *testing.T) {
	for name, row := range http2Stalls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const route = `"timeout": "200ms", "breaker": {"failures": 1, "recovery": "1h"}`
			http2InBubble(t, route, row.handle, func(t *testing.T, r *rig) {
				begun := time.Now()
				status, _ := r.ask(t, http.MethodPost, nil, bytes.Repeat([]byte("x"), row.body))
				require.Equal(t, http.StatusGatewayTimeout, status)
				require.Equal(t, 200*time.Millisecond, time.Since(begun))
				require.Equal(t, breaker.Open, r.Status()[0].Breaker)
				require.EqualValues(t, 1, r.Status()[0].Failed)
			})
		})
	}
}

// Nor does a header that nobody takes hold a request, or the next requests on the same connection.
// The buffers are those of the kernel: in a bubble, no time passes while the next requests wait for
// the mutex of the write.
func TestTimeoutHoldsForHeadersThatAreNotTaken(t *testing.T) {
	for _, protocol := range []string{"h2", "http/1.1"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			pair, trust := certificate()
			plain, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			r := gatewayTo(t, nil, smallWindow{plain, pair, protocol}, "https", `"timeout": "200ms"`, trust, func(p *peer) {
				_, _ = io.ReadFull(p, make([]byte, 1)) // the handshake, and no more
				p.hold(t)
			})
			smallBuffers(r.gateway)
			for range 3 {
				status, _ := r.ask(t, http.MethodGet, large(), nil)
				require.Equal(t, http.StatusGatewayTimeout, status)
			}
			require.EqualValues(t, 3, r.Status()[0].Failed)
		})
	}
}

// A connection that has died silently is given up, so that the upstream is found again when it is
// well.
func TestDeadHTTP2ConnectionIsGivenUp(t *testing.T) {
	http2InBubble(t, `"timeout": "100ms"`, func(t *testing.T, p *peer) {
		p.serve(nil, func(f frame) bool {
			if f.kind == frameHeaders {
				p.write(frameHeaders, flagEndHeaders|flagEndStream, f.stream, ok)
			}
			return f.kind != frameHeaders || p.number > 1
		})
		p.hold(t) // the first connection has died
	}, func(t *testing.T, r *rig) {
		status, _ := r.ask(t, http.MethodGet, nil, nil)
		require.Equal(t, http.StatusOK, status)
		begun := time.Now()
		status, _ = r.ask(t, http.MethodGet, nil, nil)
		require.Equal(t, http.StatusGatewayTimeout, status)
		for status != http.StatusOK {
			require.Less(t, time.Since(begun), 5*time.Second)
			status, _ = r.ask(t, http.MethodGet, nil, nil)
		}
		require.Positive(t, r.Status()[0].Failed)
	})
}

// A POST is sent again if the upstream closes the connection and says that it has not looked at the
// request.
func TestSmallBodiesSurviveGoAway(t *testing.T) {
	var lost atomic.Int64
	body := bytes.Repeat([]byte("x"), 50<<10)
	http2InBubble(t, `"timeout": "5s", "breaker": {"failures": 1, "recovery": "1h"}`, func(_ *testing.T, p *peer) {
		got := map[uint32]int{}
		p.serve(nil, func(f frame) bool {
			if f.kind == frameData {
				got[f.stream] += len(f.payload)
			}
			switch {
			case f.kind == frameData && p.number%2 == 1: // some of the body has come
				if got[f.stream] == len(f.payload) {
					lost.Add(1)
					p.write(frameGoAway, 0, 0, make([]byte, 8))
				}
			case f.kind == frameData && f.flags&flagEndStream != 0 && got[f.stream] == len(body):
				p.write(frameHeaders, flagEndHeaders|flagEndStream, f.stream, ok)
				p.write(frameGoAway, 0, 0, []byte{0, 0, 0, byte(f.stream), 0, 0, 0, 0})
			}
			return true
		})
	}, func(t *testing.T, r *rig) {
		for range 3 {
			status, _ := r.ask(t, http.MethodPost, nil, body)
			require.Equal(t, http.StatusOK, status)
		}
		require.GreaterOrEqual(t, lost.Load(), int64(3))
		require.Equal(t, Status{Name: "/", Breaker: breaker.Closed, Requests: 3}, r.Status()[0])
	})
}
