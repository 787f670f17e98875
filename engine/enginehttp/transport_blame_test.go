package enginehttp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

// TestABoundOfOursIsNoFailure: what this process has run out of says nothing about the upstream.
func TestABoundOfOursIsNoFailure(t *testing.T) {
	dial := func(errno syscall.Errno, call string) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError(call, errno)}
	}
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		for name, err := range map[string]error{
			"dial": dial(errno, "socket"),
			"name": &net.DNSError{Err: dial(errno, "socket").Error(), Name: "h", Server: "127.0.0.1:53"},
			"file": fmt.Errorf("certificates: %w", &os.PathError{Op: "open", Path: "ca.pem", Err: errno}),
		} {
			t.Run(fmt.Sprint(name, " ", errno), func(t *testing.T) {
				eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
				audit := &auditBase{RoundTripper: transportFunc(func(*http.Request) (*http.Response, error) { return nil, err })}
				tr := &enginehttp.Transport{Engine: eng, Base: audit}
				_, got := tr.RoundTrip(newRequest(t, "GET", "http://h/", nil))
				require.Equal(t, err, got)
				require.EqualValues(t, 1, audit.sent.Load())
				require.Zero(t, failuresOf(t, eng, "h"))
			})
		}
	}
}

// TestAnAlertAboutOurCertificate is the server's answer to what the caller has shown it, and no other attempt would show it another.
func TestAnAlertAboutOurCertificate(t *testing.T) {
	for version, alert := range map[uint16]string{
		tls.VersionTLS12: "handshake failure", // as RFC 5246, section 7.4.6, has it for want of a certificate
		tls.VersionTLS13: "certificate required",
	} {
		u := newUpstream(swallow)
		u.Config.ErrorLog = quiet
		u.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, MaxVersion: version}
		u.StartTLS()
		t.Cleanup(u.Close)
		eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
		_, tr := u.guarded(eng)
		audit := &auditBase{RoundTripper: tr.Base}
		tr.Base = audit
		_, err := tr.RoundTrip(newRequest(t, "GET", u.URL, nil))
		require.ErrorContains(t, err, alert)
		require.EqualValues(t, 1, audit.sent.Load())
		require.Zero(t, failuresOf(t, eng, u.host()))
	}
}

// TestAlerts: those with which a server answers what it was offered are no failures, and would come again. Any other may pass.
func TestAlerts(t *testing.T) {
	for _, alert := range []tls.AlertError{
		0, 10, 20, 21, 22, 30, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 60, 70, 71, 80, 86, 90, 100, 109, 110, 111, 112, 113, 114,
		115, 116, 120, 121, 200,
	} {
		t.Run(alert.Error(), func(t *testing.T) {
			sent, failures := 3, 3
			switch alert {
			case 40, 41, 42, 43, 44, 45, 46, 48, 49, 70, 71, 111, 112, 113, 114, 116, 120:
				sent, failures = 1, 0
			}
			for _, sender := range []string{"remote error", "local error"} {
				eng := transportEngine(t, engine.Config{Retry: thrice, Breaker: counting})
				audit := &auditBase{RoundTripper: transportFunc(func(*http.Request) (*http.Response, error) {
					return nil, fmt.Errorf("handshake: %w", &net.OpError{Op: sender, Err: errors.New(alert.Error())})
				})}
				_, err := (&enginehttp.Transport{Engine: eng, Base: audit}).RoundTrip(newRequest(t, "GET", "https://h/", nil))
				require.ErrorContains(t, err, alert.Error())
				require.EqualValues(t, sent, audit.sent.Load(), sender)
				require.Equal(t, failures, failuresOf(t, eng, "h"), sender)
				sent, failures = 3, 3
			}
		})
	}
}

// TestAServerThatCannotBeReached before the time is up has failed, though as many connections as are allowed are being made.
func TestAServerThatCannotBeReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := bare(t)
		base.MaxConnsPerHost = 1
		dialer := &net.Dialer{ControlContext: func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
			<-ctx.Done() // no answer to a SYN
			return ctx.Err()
		}, Timeout: 200 * time.Millisecond}
		base.DialContext = dialer.DialContext
		eng := transportEngine(t, engine.Config{Breaker: counting})
		tr := &enginehttp.Transport{Engine: eng, Base: base, AttemptTimeout: 100 * time.Millisecond}
		begun := time.Now()
		_, err := tr.RoundTrip(newRequest(t, "GET", "http://127.0.0.1:9/", nil)) // nobody is asked
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 100*time.Millisecond, time.Since(begun))
		require.Equal(t, 1, failuresOf(t, eng, "127.0.0.1:9"))
		time.Sleep(100 * time.Millisecond) // of the bubble: then the dialer gives up, too
	})
}
