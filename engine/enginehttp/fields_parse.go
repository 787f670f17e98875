package enginehttp

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ServiceLimit is one item of a RateLimit field: the rest of one of a server's limits.
type ServiceLimit struct {
	Policy    string        // the name of the limit, also in RateLimit-Policy
	Remaining int64         // requests; not negative
	Reset     time.Duration // until there are more; 0 if the item does not say, at most 292 years
}

// ParseRateLimit reads the value of a RateLimit field, a List of RFC 9651. Several lines of the
// field are to be joined with commas first. ParseRateLimit takes the parameters of
// draft-ietf-httpapi-ratelimit-headers-10 (r and t) and of draft 11 (a and w), and passes over
// others. An empty value has no items. The error says where the value is malformed; the drafts want
// such a field ignored.
func ParseRateLimit(value string) ([]ServiceLimit, error) {
	p := fieldParser{rest: strings.Trim(value, " ")}
	var limits []ServiceLimit
	for p.rest != "" {
		limit, ok := p.item()
		if ok {
			limits = append(limits, limit)
			p.skip(" \t")
			if p.rest == "" {
				break
			}
			ok = p.take(',')
			p.skip(" \t")
		}
		if !ok || p.rest == "" { // a comma must not be the last
			return nil, fmt.Errorf("enginehttp: malformed RateLimit field, %d bytes before its end", len(p.rest))
		}
	}
	return limits, nil
}

// fieldParser reads a structured field (RFC 9651, section 4.2) from left to right.
type fieldParser struct{ rest string }

// item reads a String and its parameters.
func (p *fieldParser) item() (limit ServiceLimit, ok bool) {
	if limit.Policy, ok = p.text(); !ok {
		return limit, false
	}
	limit.Remaining = -1
	for p.take(';') {
		p.skip(" ")
		key := p.run("abcdefghijklmnopqrstuvwxyz*0123456789_-.")
		if key == "" || strings.IndexByte("0123456789_-.", key[0]) >= 0 {
			return limit, false
		}
		n := int64(-1)
		if p.take('=') {
			if n, ok = p.value(); !ok {
				return limit, false
			}
		}
		switch key {
		case "r", "a":
			limit.Remaining = n
			ok = n >= 0
		case "t", "w":
			limit.Reset = time.Duration(min(n, math.MaxInt64/int64(time.Second))) * time.Second
			ok = n >= 0
		}
		if !ok {
			return limit, false
		}
	}
	return limit, limit.Remaining >= 0
}

// value reads the value of a parameter, and returns -1 unless the value is an Integer that is not
// negative. Of other values only the end matters.
func (p *fieldParser) value() (n int64, ok bool) {
	if display := p.take('%'); display || strings.HasPrefix(p.rest, `"`) {
		_, ok = p.text()
		return -1, ok
	}
	value := p.run("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$&'*+-.^_`|~%:/=?@")
	if unsigned, err := strconv.ParseUint(value, 10, 64); err == nil && len(value) <= 15 {
		return int64(unsigned), true
	}
	return -1, value != ""
}

// text reads a String.
func (p *fieldParser) text() (string, bool) {
	if !p.take('"') {
		return "", false
	}
	var text []byte
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return string(text), true
		case c < ' ' || c > '~':
			return "", false
		case c == '\\':
			if i++; i == len(p.rest) || p.rest[i] != '"' && p.rest[i] != '\\' {
				return "", false
			}
		}
		text = append(text, p.rest[i])
	}
	return "", false
}

// take passes over c if c is next.
func (p *fieldParser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *fieldParser) skip(chars string) { p.rest = strings.TrimLeft(p.rest, chars) }

// run reads the longest run of bytes in chars that is next.
func (p *fieldParser) run(chars string) string {
	run := p.rest
	p.skip(chars)
	return run[:len(run)-len(p.rest)]
}
