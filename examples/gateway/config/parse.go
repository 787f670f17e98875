package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// node is a JSON value and its place.
type node struct {
	kind         kind
	text         string // of a string, unquoted; of a number or a word, as written
	members      []member
	items        []*node
	line, column int
}

type member struct {
	name         string
	value        *node
	line, column int // of the name
}

// kind is the type of a JSON value.
type kind string

const (
	object kind = "an object"
	array  kind = "an array"
	text   kind = "a string"
	number kind = "a number"
	truth  kind = "true or false"
	null   kind = "null"
)

// userinfo is the part before the host of a URL.
var userinfo = regexp.MustCompile(`://[^/?#"]*@`)

// String returns the value as JSON, shortened, and without the password of a URL.
func (n *node) String() string {
	const most = 60 // characters
	s := n.text
	switch n.kind {
	case object:
		return "{...}"
	case array:
		if len(n.items) == 0 {
			return "[]"
		}
		return "[...]"
	case text:
		s = userinfo.ReplaceAllString(strconv.Quote(s), "://***@")
	}
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}

// parser makes nodes of text that is known to be JSON, and counts lines.
type parser struct {
	data         []byte
	tokens       *json.Decoder
	at           int // the offset up to which lines are counted
	line, column int
}

// parse makes a node of data, or returns the place at which data is not JSON.
func parse(data []byte) (*node, *Mistake) {
	p := parser{data: data, line: 1, column: 1}
	at, reason := 0, ""
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		reason = "the file begins with a byte order mark; save it as UTF-8 without one"
	case !utf8.Valid(data):
		for at = 0; ; {
			r, size := utf8.DecodeRune(data[at:])
			if r == utf8.RuneError && size <= 1 {
				break
			}
			at += size
		}
		reason = "not UTF-8"
	default:
		var raw json.RawMessage
		err := json.Unmarshal(data, &raw)
		if err == nil {
			p.tokens = json.NewDecoder(bytes.NewReader(data))
			p.tokens.UseNumber()
			return p.value(), nil
		}
		at, reason = len(data), "not JSON: "+err.Error()
		if fault, ok := errors.AsType[*json.SyntaxError](err); ok && fault.Offset > 0 && int(fault.Offset) <= len(data) && !ended(err) {
			at = int(fault.Offset) - 1 // Offset counts the byte that is wrong
		}
	}
	p.advance(at)
	return nil, &Mistake{Line: p.line, Column: p.column, Reason: reason}
}

func ended(err error) bool { return strings.Contains(err.Error(), "unexpected end") }

// advance counts lines and columns up to offset.
func (p *parser) advance(offset int) {
	for ; p.at < offset; p.at++ {
		switch b := p.data[p.at]; {
		case b == '\n':
			p.line, p.column = p.line+1, 1
		case utf8.RuneStart(b):
			p.column++
		}
	}
}

// next returns the next token, with the position set to its first character.
func (p *parser) next() json.Token {
	p.advance(int(p.tokens.InputOffset()))
	for bytes.IndexByte([]byte(" \t\r\n,:"), p.data[p.at]) >= 0 {
		p.advance(p.at + 1)
	}
	token, _ := p.tokens.Token() // cannot fail: the text is known to be JSON
	return token
}

// value reads one value. encoding/json bounds the depth of a value by 10,000.
func (p *parser) value() *node {
	token := p.next()
	n := &node{line: p.line, column: p.column}
	switch token := token.(type) {
	case json.Delim:
		n.kind = array
		if token == '{' {
			n.kind = object
		}
		for p.tokens.More() {
			if n.kind == array {
				n.items = append(n.items, p.value())
				continue
			}
			name, _ := p.next().(string)
			m := member{name: name, line: p.line, column: p.column}
			m.value = p.value()
			n.members = append(n.members, m)
		}
		p.next()
	case string:
		n.kind, n.text = text, token
	case json.Number:
		n.kind, n.text = number, token.String()
	case bool:
		n.kind, n.text = truth, strconv.FormatBool(token)
	default:
		n.kind, n.text = null, "null"
	}
	return n
}
