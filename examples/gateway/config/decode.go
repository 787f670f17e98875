package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// decoder puts nodes into the types of this package, and collects mistakes.
type decoder struct {
	mistakes Mistakes
	nodes    map[string]*node // the nodes of the file, by path
	wrong    map[string]bool  // paths of mistakes, so that no path has a second mistake
	meant    map[string]bool  // paths for which a misspelt name is likely meant, so that they are not called missing
}

// native is a type that reads any kind of node.
type native interface {
	decode(d *decoder, n *node, path string)
}

func valueOf(c *Config) reflect.Value { return reflect.ValueOf(c).Elem() }

// bad notes a mistake about the value at path. If the value is missing, the mistake is about the
// nearest object around the value that is there.
func (d *decoder) bad(path, reason string) {
	parent := parentOf(path)
	if d.wrong[path] || !d.has(path) && (d.wrong[parent] || d.meant[path]) {
		return
	}
	d.wrong[path] = true
	m := Mistake{Path: path, Reason: reason}
	if n := d.nodes[path]; n != nil {
		m.Line, m.Column, m.Value = n.line, n.column, n.String()
	} else {
		for parent != "" && !d.has(parent) {
			parent = parentOf(parent)
		}
		if n := d.nodes[parent]; n != nil {
			m.Line, m.Column = n.line, n.column
		}
	}
	d.mistakes = append(d.mistakes, m)
}

func (d *decoder) badf(path, format string, args ...any) { d.bad(path, fmt.Sprintf(format, args...)) }

// has reports whether the file has a value at path.
func (d *decoder) has(path string) bool { return d.nodes[path] != nil }

// decode puts n into v, which must be settable.
func (d *decoder) decode(n *node, path string, v reflect.Value) {
	d.nodes[path] = n
	if n.kind == null {
		d.bad(path, "must not be null; leave it out for its default")
		return
	}
	switch target := v.Addr().Interface().(type) {
	case native:
		target.decode(d, n, path)
		return
	case encoding.TextUnmarshaler:
		if !d.is(n, path, text) {
			return
		}
		if err := target.UnmarshalText([]byte(n.text)); err != nil {
			d.bad(path, err.Error())
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(n, path, v.Elem())
	case reflect.Struct:
		if d.is(n, path, object) {
			d.fields(n, path, v)
		}
	case reflect.Slice:
		if d.is(n, path, array) {
			v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
			for i, item := range n.items {
				d.decode(item, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		}
	case reflect.Map:
		if d.is(n, path, object) {
			d.entries(n, path, v)
		}
	case reflect.String:
		if d.is(n, path, text) {
			v.SetString(n.text)
		}
	case reflect.Bool:
		if d.is(n, path, truth) {
			v.SetBool(n.text == "true")
		}
	case reflect.Int:
		d.integer(n, path, v)
	case reflect.Float64:
		d.fraction(n, path, v)
	default:
		panic("config: no JSON for " + v.Type().String())
	}
}

// is reports whether n is of the kind that is wanted; otherwise is notes a mistake.
func (d *decoder) is(n *node, path string, want kind) bool {
	if n.kind != want {
		d.badf(path, "must be %s, not %s", want, n.kind)
	}
	return n.kind == want
}

func (d *decoder) integer(n *node, path string, v reflect.Value) {
	if !d.is(n, path, number) {
		return
	}
	i, err := strconv.ParseInt(n.text, 10, 32)
	if err != nil {
		d.bad(path, "must be a whole number below 2^31, written in digits")
		return
	}
	v.SetInt(i)
}

func (d *decoder) fraction(n *node, path string, v reflect.Value) {
	if !d.is(n, path, number) {
		return
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil { // the text is a number, so that it can only be too large
		d.bad(path, "is too large")
		return
	}
	v.SetFloat(f)
}

// fields puts the members of n into the fields of v with their names.
func (d *decoder) fields(n *node, path string, v reflect.Value) {
	names := namesOf(v.Type())
	for _, m := range n.members {
		at := join(path, m.name)
		field := -1
		for i, name := range names {
			if name == m.name {
				field = i
			}
		}
		switch {
		case field < 0:
			reason := "unknown field"
			if meant := nearest(m.name, names); meant != "" {
				reason += fmt.Sprintf("; did you mean %q?", meant)
				d.meant[join(path, meant)] = true
			} else if len(m.name) < 20 {
				reason += "; known are " + strings.Join(names, ", ")
			}
			d.mistakes = append(d.mistakes, Mistake{Line: m.line, Column: m.column, Path: at, Value: m.value.String(), Reason: reason})
		case d.has(at):
			d.twice(m, at)
		default:
			d.decode(m.value, at, v.Field(field))
		}
	}
}

// entries puts the members of n into v, a map by name.
func (d *decoder) entries(n *node, path string, v reflect.Value) {
	v.Set(reflect.MakeMap(v.Type()))
	for _, m := range n.members {
		at := entry(path, m.name)
		if d.has(at) {
			d.twice(m, at)
			continue
		}
		value := reflect.New(v.Type().Elem()).Elem()
		d.decode(m.value, at, value)
		v.SetMapIndex(reflect.ValueOf(m.name), value)
	}
}

// twice notes a member whose name an earlier member has.
func (d *decoder) twice(m member, at string) {
	reason := fmt.Sprintf("given twice, first in line %d", d.nodes[at].line)
	d.mistakes = append(d.mistakes, Mistake{Line: m.line, Column: m.column, Path: at, Value: m.value.String(), Reason: reason})
}

// entry returns the path of an entry of a map.
func entry(path, name string) string { return path + "[" + strconv.Quote(name) + "]" }

// namesOf returns the names in the file of a struct's fields, in the order of the fields.
func namesOf(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = t.Field(i).Tag.Get("json")
	}
	return names
}

// join returns the path of a member.
func join(path, name string) string {
	for i, r := range name {
		if r != '_' && r != '$' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return path + "[" + strconv.Quote(name) + "]"
		}
	}
	switch {
	case name == "":
		return path + `[""]`
	case path == "":
		return name
	default:
		return path + "." + name
	}
}

// parentOf returns the path of the object around the value at path. The last part of path is a
// known name.
func parentOf(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }
