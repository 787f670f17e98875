package enginenet

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/limitpal/limitpal-go/engine"
)

// Block is the number of bytes of a token. Engines count blocks: a capacity is bytes / Block, and a
// rate is bytes per second / Block. An engine keeps the time between two tokens in whole
// nanoseconds, rounded up. With blocks of 64 bytes the rounding costs less than 2 % of the rate up
// to 1 GB/s, and below 0.1 % up to 64 MB/s.
const Block = 64

const (
	// maxChunk bounds a payment, in bytes. So maxChunk bounds the bytes that are paid for and have
	// not been sent yet, and the bytes that were read and are not paid for yet.
	maxChunk = 64 << 10
	// pace is the time that a chunk waits for its own bytes. A longer wait would be a stall, and a
	// shorter wait would wake a goroutine for a few bytes.
	pace = 50 * time.Millisecond
	// maxKey is the length of the longest key, in bytes, that an engine gets in full.
	maxKey = 256
)

// Direction says which bytes of a connection a limit counts. The zero Direction is Both.
type Direction uint8

// The directions. A limit for both gives each direction a bucket of its own, of the full rate: a
// connection is full duplex, and an upload should not slow the answers down. For different rates,
// nest two listeners, or give [Wrap] two limits. Any other value counts as Both.
const (
	Both Direction = iota
	Reads
	Writes
)

// String returns "both", "reads" or "writes".
func (d Direction) String() string {
	switch d {
	case Reads:
		return "reads"
	case Writes:
		return "writes"
	default:
		return "both"
	}
}

// Limit is one limit of a connection; see [Wrap].
type Limit struct {
	// Engine has the buckets, in blocks. A nil Engine, or an Engine without a limiter, is no limit.
	// An Engine with a Config field that this package cannot honour is an error of the first Read,
	// Write or ReadFrom, see the package documentation.
	Engine *engine.Engine
	// Key names the connections that share a bucket. The engine knows the bucket of reads as Key +
	// " reads" and the bucket of writes as Key + " writes". A Key above 256 bytes counts as
	// "sha256:" and the hash of Key in hexadecimal digits. Default "", which is a key like any
	// other.
	Key string
	// Direction says which bytes the limit counts. Default Both.
	Direction Direction
}

// holds reports whether l limits direction d.
func (l Limit) holds(d Direction) bool {
	other := l.Direction == Reads && d == Writes || l.Direction == Writes && d == Reads
	return l.Engine != nil && !other && (len(l.Engine.Limits()) > 0 || l.Engine.Config().LimiterFor != nil)
}

// bounded returns key, or a hash of key if key is long, so that no peer makes an engine keep a long
// key.
func bounded(key string) string {
	if len(key) <= maxKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// checkConfig returns an error that joins a *engine.ConfigError for each field of e's Config that
// this package cannot honour, or nil. A nil e is fit.
func checkConfig(e *engine.Engine) error {
	if e == nil {
		return nil
	}
	var errs []error
	bad := func(field string, value any) {
		errs = append(errs, &engine.ConfigError{Field: field, Value: value, Reason: "must not be set: package enginenet takes tokens and calls no function"})
	}
	c := e.Config()
	if c.Concurrency != nil {
		bad("Concurrency", c.Concurrency)
	}
	if c.Breaker != nil {
		bad("Breaker", *c.Breaker)
	}
	if c.Retry != nil {
		bad("Retry", *c.Retry)
	}
	if c.Latency {
		bad("Latency", c.Latency)
	}
	if c.Timeout > 0 {
		bad("Timeout", c.Timeout)
	}
	if c.AttemptTimeout > 0 {
		bad("AttemptTimeout", c.AttemptTimeout)
	}
	if c.Classify != nil {
		bad("Classify", c.Classify)
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("enginenet: %w", errors.Join(errs...))
}
