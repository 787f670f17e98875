package config

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Upstream is the address of a server: http or https, a host, perhaps a port and a path, and
// nothing else.
type Upstream struct{ url.URL }

// UnmarshalText reads an address.
func (u *Upstream) UnmarshalText(s []byte) error {
	v, err := url.Parse(string(s))
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err // without the whole URL, which the mistake shows
		}
		return errors.New("must be a URL: " + err.Error())
	}
	port, err := strconv.ParseUint(v.Port(), 10, 16)
	switch {
	case v.Scheme != "http" && v.Scheme != "https":
		return errors.New(`must be a URL that begins with http:// or https://, such as "http://127.0.0.1:9000"`)
	case v.Hostname() == "":
		return errors.New("must name a host")
	case v.Port() != "" && (err != nil || port == 0):
		return errors.New("the port must be 1 to 65535")
	case v.User != nil:
		return errors.New("must not carry a user or a password")
	case v.RawQuery != "" || v.ForceQuery || v.Fragment != "" || strings.HasSuffix(string(s), "#"):
		return errors.New("must have no ? and no #")
	}
	u.URL = *v
	return nil
}

// Network is a prefix of addresses: "10.0.0.0/8", or "192.0.2.1" alone.
type Network struct{ netip.Prefix }

// UnmarshalText reads a prefix.
func (n *Network) UnmarshalText(s []byte) error {
	const wanted = `must be an address or a prefix, such as "192.0.2.1", "10.0.0.0/8" or "2001:db8::/64"`
	p, err := netip.ParsePrefix(string(s))
	if err != nil {
		addr, err := netip.ParseAddr(string(s))
		if err != nil || addr.Zone() != "" {
			return errors.New(wanted)
		}
		p = netip.PrefixFrom(addr, addr.BitLen())
	}
	switch masked := p.Masked(); {
	case p.Addr().Is4In6():
		return errors.New("is an IPv4 address, and must be written as one")
	case p.Addr().Is6() && p.Bits() > 64:
		return fmt.Errorf("an IPv6 address counts as its /64, so write %q", netip.PrefixFrom(p.Addr(), 64).Masked())
	case masked != p:
		return fmt.Errorf("has bits beyond its length, so write %q", masked)
	}
	n.Prefix = p
	return nil
}

// Key says how a limiter tells clients apart.
type Key struct {
	// Header is the canonical name of the field that tells clients apart. Empty: the address does.
	Header string
}

// String is "ip", or "header X-Api-Key".
func (k Key) String() string {
	if k.Header == "" {
		return "ip"
	}
	return "header " + k.Header
}

// ofTheProxy are the fields that end at a proxy (RFC 9110, section 7.6.1), or that the proxy makes.
var ofTheProxy = []string{
	"Connection", "Content-Length", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix",
}

func (k *Key) decode(d *decoder, n *node, path string) {
	const wanted = `must be "ip", or an object such as {"header": "X-API-Key"}`
	switch {
	case n.kind == text && n.text == "ip":
	case n.kind == object:
		var of struct {
			Header string `json:"header"`
		}
		d.fields(n, path, reflect.ValueOf(&of).Elem())
		header := join(path, "header")
		switch {
		case !d.has(header):
			d.bad(header, `missing, such as "X-API-Key"`)
		case !IsToken(of.Header):
			d.bad(header, "must be the name of a header field")
		case http.CanonicalHeaderKey(of.Header) == "Host":
			d.bad(header, "must not be Host, which tells routes apart and not clients")
		case slices.Contains(ofTheProxy, http.CanonicalHeaderKey(of.Header)):
			d.bad(header, "must not be a field that no upstream gets as the client has sent the field")
		}
		k.Header = http.CanonicalHeaderKey(of.Header)
	default:
		d.bad(path, wanted)
	}
}

// IsToken reports whether s may be the name of a field (RFC 9110, section 5.6.2).
func IsToken(s string) bool {
	for _, c := range []byte(s) {
		alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alphanumeric && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
