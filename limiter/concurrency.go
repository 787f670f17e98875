package limiter

import "errors"

// ErrInFlight says that as many calls are in flight as may be.
var ErrInFlight = errors.New("limiter: too many calls in flight")

// Concurrency bounds how many calls of a key are in flight: an [InFlight]. The interface is sealed: no other
// package can implement Concurrency.
type Concurrency interface {
	// Validate returns nil if every field can be used, and else a *[ConfigError].
	Validate() error
	// places returns the bound, and the error of Validate.
	places() (int64, error)
}

// InFlight lets at most Max calls of a key be in flight, from the instant at which a call is let through until
// its outcome is reported.
type InFlight struct {
	Max int // from 1 to 2^30
}

// mostPlaces is the largest InFlight.Max.
const mostPlaces = 1 << 30

// Validate returns nil if Max can be used, and else a *[ConfigError].
func (f InFlight) Validate() error {
	_, err := f.places()
	return err
}

func (f InFlight) places() (int64, error) {
	if f.Max < 1 || f.Max > mostPlaces {
		return 0, &ConfigError{Field: "Max", Value: f.Max, Reason: "must be from 1 to 2^30"}
	}
	return int64(f.Max), nil
}

// Places returns how many calls of a key c lets be in flight. The error is a *[ConfigError].
func Places(c Concurrency) (int64, error) {
	if f, ok := c.(*InFlight); c == nil || ok && f == nil {
		return 0, &ConfigError{Field: "Concurrency", Value: nil, Reason: "must not be nil"}
	}
	return c.places()
}
