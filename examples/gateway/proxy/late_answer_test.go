package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An answer may come much later than the end of an upload: the stall of a client counts only while
// more of the body is awaited. The last deadline for a read of the body does not end the request,
// since net/http lifts that deadline at the end of the body.
func TestAnAnswerMayComeLaterThanTheStallOfAClient(t *testing.T) {
	t.Parallel()
	const size = 100 << 10
	for name, body := range map[string]string{
		"small":             "Content-Length: 5\r\n\r\nhello",
		"small, in chunks":  "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"with a trailer":    "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
		"larger than kept":  fmt.Sprintf("Content-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size)),
		"larger, in chunks": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", size, strings.Repeat("x", size)),
		"none":              "Content-Length: 0\r\n\r\n",
	} {
		for _, guard := range []string{"", `, "breaker": {"failures": 1}, "retry": {}, "limiter": {"rate": "100/s"}`} {
			t.Run(name+guard, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *bubble) {
					up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
						n, err := io.Copy(io.Discard, r.Body)
						time.Sleep(20 * time.Second) // of the bubble
						fmt.Fprint(w, n, err)
					})
					s := serve(t, `"timeouts": {"stall": "1s", "half_closed": "1s"},`,
						fmt.Sprintf(`{"path": "/", "upstream": %q, "timeout": "1m"%s}`, up.URL, guard))
					conn := dial(t, s)
					answers := bufio.NewReader(conn)
					for range 2 { // the connection is kept
						go func() { // ends with the upload
							_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+body)
						}()
						resp, err := http.ReadResponse(answers, nil)
						require.NoError(t, err)
						text, err := io.ReadAll(resp.Body)
						require.NoError(t, err)
						require.NoError(t, resp.Body.Close())
						require.Equal(t, http.StatusOK, resp.StatusCode, "%s", text)
						require.Contains(t, string(text), "<nil>")
					}
					require.Zero(t, s.Status()[0].Failed)
				})
			})
		}
	}
}
