package proxy

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// below returns the index in path of the part below prefix, or -1 if path is not below prefix. The
// part begins with a slash, or is empty. Slashes in a row count as one slash in path, as for many
// servers. An empty path counts as "/" (RFC 9110, section 4.2.3).
func below(path, prefix string) int {
	if prefix == "/" {
		if path == "" || strings.HasPrefix(path, "/") {
			return 0
		}
		return -1
	}
	at := 0
	for i := range len(prefix) {
		if at == len(path) || path[at] != prefix[i] {
			return -1
		}
		at++
		for prefix[i] == '/' && at < len(path) && path[at] == '/' {
			at++
		}
	}
	if at < len(path) && path[at] != '/' {
		return -1
	}
	return at
}

// escaped returns the number of bytes of the escaped path that stand for the first n bytes of the
// path (RFC 3986, section 2.1).
func escaped(path string, n int) int {
	at := 0
	for ; n > 0 && at < len(path); n-- {
		if path[at] == '%' {
			at += 2
		}
		at++
	}
	return min(at, len(path))
}

// mostEscapes is how many times over a path may be escaped. The time to unescape a path to the end
// would grow with the square of its length.
const mostEscapes = 8

// readingOf returns path as the most lenient server reads it. If some server takes two paths for
// the same, the two have the same reading. The most lenient server unescapes a path again and
// again, stops at a query or fragment, drops parameters (RFC 3986, section 3.3) and, as some file
// systems do, spaces and dots at the ends of segments, and takes letters for their lower case and
// full-width characters for ASCII.
//
// ok is false if servers are known to disagree about the path: if the path has a segment "." or
// "..", a backslash or a control character, or is not UTF-8.
func readingOf(path string) (reading string, ok bool) {
	if plain(path) {
		return path, true
	}
	for depth := 0; ; depth++ {
		if depth > mostEscapes || !utf8.ValidString(path) {
			return "", false
		}
		path = strings.Map(unified, path)
		if strings.ContainsFunc(path, func(c rune) bool { return c == '\\' || unicode.IsControl(c) }) {
			return "", false
		}
		again := unescaped(path)
		if again == path {
			break
		}
		path = again
	}
	if end := strings.IndexAny(path, "?#"); end >= 0 {
		path = path[:end]
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segment, _, _ = strings.Cut(segment, ";")
		spaceless := strings.Map(func(c rune) rune {
			if unicode.IsSpace(c) {
				return -1
			}
			return c
		}, segment)
		if len(spaceless) < len(segment) || len(segment) <= len("..") {
			if spaceless != "" && strings.Trim(spaceless, ".") == "" {
				return "", false
			}
		}
		segment = strings.TrimLeftFunc(segment, unicode.IsSpace)
		segments[i] = strings.TrimRightFunc(segment, func(c rune) bool { return c == '.' || unicode.IsSpace(c) })
	}
	return strings.Join(segments, "/"), true
}

// plain reports whether path is equal to its reading, as far as one look tells.
func plain(path string) bool {
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '/', c == '-', c == '_', c == '~', c == ',', c == '+', c == '=', c == '@', c == ':':
		case c == '.' && i > 0 && path[i-1] != '/' && i+1 < len(path) && path[i+1] != '/': // within a segment
		default:
			return false
		}
	}
	return true
}

// unified returns the character that stands for c in a reading; -1 if none does.
func unified(c rune) rune {
	switch {
	case c < utf8.RuneSelf:
		return unicode.ToLower(c)
	case unicode.Is(unicode.Cf, c): // such as joiners, and spaces without a width
		return -1
	case '\uff01' <= c && c <= '\uff5e': // full-width ASCII
		return unicode.ToLower(c - '\uff01' + '!')
	default:
		return unicode.ToLower(unicode.ToUpper(c))
	}
}

// unescaped returns path without escapes. A % that begins no escape stays.
func unescaped(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			if c, err := strconv.ParseUint(path[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}
