package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/limitpal/limitpal-go/limiter"
)

// Duration is a positive time such as "250ms", "1.5s" or "2m30s", as of time.ParseDuration. The
// zero Duration was not given.
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(s []byte) error {
	v, err := time.ParseDuration(string(s))
	switch {
	case err != nil:
		return errors.New(`must be a number with a unit, such as "250ms", "1.5s" or "2m"`)
	case v <= 0:
		return errors.New("must be more than zero; leave it out for its default")
	}
	*d = Duration(v)
	return nil
}

// String returns the duration in the shortest form, "2m" and not "2m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Rate is a number of requests in a time: "5/s", "100/m", "1000/h", "20/250ms".
type Rate struct {
	Count int64         // at least 1, below 2^31
	Per   time.Duration // above 0
}

// units are the times that stand alone in a rate.
var units = []struct {
	name string
	time time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"ms", time.Millisecond}}

// UnmarshalText reads a rate.
func (r *Rate) UnmarshalText(s []byte) error {
	count, unit, ok := strings.Cut(string(s), "/")
	if !ok {
		return errors.New(`must be a number of requests, a slash and a time, such as "100/m"`)
	}
	n, err := strconv.ParseUint(count, 10, 31)
	if err != nil || n == 0 {
		return fmt.Errorf("the number must be whole, above 0 and below 2^31, such as %q", "100/"+orUnit(unit))
	}
	per := time.Duration(0)
	for _, u := range units {
		if u.name == unit {
			per = u.time
		}
	}
	if per == 0 {
		if per, err = time.ParseDuration(unit); err != nil {
			return fmt.Errorf("the unit must be s, m, h or ms, such as %q", fmt.Sprint(n)+"/m")
		}
	}
	if per <= 0 {
		return errors.New("the time must be more than zero")
	}
	*r = Rate{Count: int64(n), Per: per}
	return nil
}

func orUnit(unit string) string {
	for _, u := range units {
		if u.name == unit {
			return unit
		}
	}
	return "m"
}

// String returns the rate as in a file.
func (r Rate) String() string {
	for _, u := range units {
		if u.time == r.Per {
			return fmt.Sprintf("%d/%s", r.Count, u.name)
		}
	}
	return fmt.Sprintf("%d/%v", r.Count, Duration(r.Per))
}

// Limit returns the rate for a limiter. That of the zero Rate is invalid.
func (r Rate) Limit() limiter.Rate { return limiter.Per(r.Count, r.Per) }

// Size is a number of bytes: "512B", "64KiB", "10MB". KB, MB and GB are powers of 1000; KiB, MiB and GiB of 1024.
type Size int64

var sizes = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}}

var errTooLarge = errors.New("must be below 2048GiB")

// UnmarshalText reads a size, which is above 0 and below 2^31 KiB.
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range sizes {
		digits, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 64)
		switch {
		case errors.Is(err, strconv.ErrRange), err == nil && n > math.MaxInt32*1024/uint64(u.bytes):
			return errTooLarge
		case err == nil && n > 0:
			*s = Size(int64(n) * u.bytes)
			return nil
		}
		break
	}
	return errors.New(`must be a whole number, above 0, with B, KB, MB, GB, KiB, MiB or GiB, such as "64KiB"`)
}

// String returns the size in the largest unit that needs no fraction.
func (s Size) String() string {
	for _, u := range sizes {
		if int64(s)%u.bytes == 0 && s != 0 {
			return fmt.Sprintf("%d%s", int64(s)/u.bytes, u.name)
		}
	}
	return "0B"
}

// ByteRate is a number of bytes per second: "1MiB/s", "500KB/s".
type ByteRate int64

// UnmarshalText reads a rate, with the bounds of a [Size].
func (r *ByteRate) UnmarshalText(text []byte) error {
	var s Size
	size, ok := strings.CutSuffix(string(text), "/s")
	err := s.UnmarshalText([]byte(size))
	if ok && errors.Is(err, errTooLarge) {
		return err
	}
	if !ok || err != nil {
		return errors.New(`must be a whole number, above 0, with B/s, KB/s, MB/s, GB/s, KiB/s, MiB/s or GiB/s, such as "1MiB/s"`)
	}
	*r = ByteRate(s)
	return nil
}

// String returns the rate as in a file.
func (r ByteRate) String() string { return Size(r).String() + "/s" }
