package proxy

import "strings"

// below returns where in path the part begins that is below prefix: after it, and either at a slash or at the end. It is -1 if path does not
// lie there. Slashes that follow one another count as one in path, as many servers take them. No path at all is that of "http://host", and as
// good as "/" (RFC 9110, section 4.2.3).
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

// escaped is how many bytes of the escaped path are the first n bytes of the path (RFC 3986, section 2.1).
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

// hasDots reports whether a segment of path is "." or "..", or is to those who take what comes behind a semicolon for parameters.
func hasDots(path string) bool {
	if !strings.Contains(path, "/.") {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment, _, _ = strings.Cut(segment, ";"); segment == "." || segment == ".." {
			return true
		}
	}
	return false
}
