package proxy

import (
	"bufio"
	"net"
	"net/http"
	"time"
)

// exchange is one request and its answer: an http.ResponseWriter that remembers how it was answered.
type exchange struct {
	http.ResponseWriter
	route  *route    // nil if none fits
	begun  time.Time // for the log
	status int       // 0 until it is known. 499: the client has left before there was an answer
	bytes  int64     // of the body; those of a connection that was switched to another protocol are not counted
	ending ending
	cut    bool // the answer broke off
	gone   bool // the client did not take it
}

// ending is how an exchange ended, as far as it counts.
type ending uint8

const (
	answered    ending = iota // by the upstream, whatever the status
	refused                   // by the limiter's engine, with 429 if it was the limiter
	unavailable               // by the upstream's engine, the upstream not having been asked
	failed                    // the upstream did not answer
	left                      // the client did not wait for an answer, or did not send all of its request
)

// exchangeOf is the exchange that w writes to.
func exchangeOf(w http.ResponseWriter) *exchange {
	for {
		switch v := w.(type) {
		case *exchange:
			return v
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return new(exchange) // somebody else's; nobody will ask it
		}
	}
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(p)
	x.bytes += int64(n)
	x.gone = x.gone || err != nil
	return n, err
}

// Flush implements http.Flusher.
func (x *exchange) Flush() { _ = x.FlushError() }

// FlushError is how http.ResponseController flushes.
func (x *exchange) FlushError() error {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker. A reverse proxy takes a connection over to switch its protocol.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err == nil && x.status == 0 {
		x.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}
