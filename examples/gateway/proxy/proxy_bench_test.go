package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What a request costs through the same httputil.ReverseProxy without us, through the gateway with every stage, and when it is
// refused. All of it runs in one process, the client and the upstream too.
func BenchmarkGateway(b *testing.B) {
	up := upstream(b, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") })
	stages := `, "breaker": {}, "retry": {}, "limiter": `
	target, err := url.Parse(up.URL)
	require.NoError(b, err)
	bare := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.SetXForwarded()
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true, ResponseHeaderTimeout: 5 * time.Second},
	})
	b.Cleanup(bare.Close)
	for _, row := range []struct {
		name, url string
		status    int
	}{
		{"bare", bare.URL, http.StatusOK},
		{"none", serve(b, "", route("/", up, "")).URL(), http.StatusOK},
		{"allowed", serve(b, "", route("/", up, stages+`{"rate": "1000000/s"}`)).URL(), http.StatusOK},
		{"logged", serveTo(b, io.Discard, "", route("/", up, stages+`{"rate": "1000000/s"}`)).URL(), http.StatusOK},
		{"refused", serve(b, "", route("/", up, stages+`{"rate": "1/h", "burst": 1}`)).URL(), http.StatusTooManyRequests},
	} {
		b.Run(row.name, func(b *testing.B) {
			cl := client(b)
			get(b, cl, row.url) // takes the one token
			b.ReportAllocs()
			b.SetParallelism(16)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					resp, err := cl.Get(row.url)
					if err != nil || resp.StatusCode != row.status {
						b.Error(err, resp)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			})
		})
	}
}
