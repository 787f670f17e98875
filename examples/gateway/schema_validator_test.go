package main

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// validator checks values against the part of JSON Schema, draft 2020-12, that schema.json uses.
type validator struct{ root map[string]any }

func newValidator(t *testing.T) validator {
	t.Helper()
	var v validator
	require.NoError(t, json.Unmarshal([]byte(schema), &v.root))
	return v
}

// check returns what is wrong with value at path, which must be as s says. It panics at a keyword
// that it does not know.
func (v validator) check(s map[string]any, value any, path string) (wrong []string) {
	bad := func(format string, args ...any) { wrong = append(wrong, path+": "+fmt.Sprintf(format, args...)) }
	fields, _ := value.(map[string]any)
	items, _ := value.([]any)
	for keyword, want := range s {
		switch keyword {
		case "$schema", "$defs", "title", "description", "default": // say nothing of the value
		case "$ref":
			wrong = append(wrong, v.check(v.def(want.(string)), value, path)...)
		case "type":
			if got := typeOf(value); got != want && !(want == "integer" && isWhole(value)) {
				bad("is %s, not %v", got, want)
			}
		case "enum":
			if !slices.Contains(want.([]any), value) {
				bad("is %v, not one of %v", value, want)
			}
		case "const":
			if value != want {
				bad("is %v, not %v", value, want)
			}
		case "oneOf":
			fit := 0
			for _, s := range want.([]any) {
				if len(v.check(s.(map[string]any), value, path)) == 0 {
					fit++
				}
			}
			if fit != 1 {
				bad("fits %d of oneOf", fit)
			}
		case "anyOf":
			if !slices.ContainsFunc(want.([]any), func(s any) bool { return len(v.check(s.(map[string]any), value, path)) == 0 }) {
				bad("fits none of anyOf")
			}
		case "not":
			if len(v.check(want.(map[string]any), value, path)) == 0 {
				bad("fits not")
			}
		case "dependentSchemas":
			for name, s := range want.(map[string]any) {
				if _, ok := fields[name]; ok {
					wrong = append(wrong, v.check(s.(map[string]any), value, path)...)
				}
			}
		case "pattern":
			if text, ok := value.(string); ok && !regexp.MustCompile(want.(string)).MatchString(text) {
				bad("%q does not match %v", text, want)
			}
		case "minimum":
			if n, ok := value.(float64); ok && n < want.(float64) {
				bad("is below %v", want)
			}
		case "exclusiveMinimum":
			if n, ok := value.(float64); ok && n <= want.(float64) {
				bad("is not above %v", want)
			}
		case "maximum":
			if n, ok := value.(float64); ok && n > want.(float64) {
				bad("is above %v", want)
			}
		case "minItems":
			if typeOf(value) == "array" && float64(len(items)) < want.(float64) {
				bad("has %d items", len(items))
			}
		case "items":
			for i, item := range items {
				wrong = append(wrong, v.check(want.(map[string]any), item, fmt.Sprintf("%s[%d]", path, i))...)
			}
		case "properties":
			for name, s := range want.(map[string]any) {
				if field, ok := fields[name]; ok {
					wrong = append(wrong, v.check(s.(map[string]any), field, path+"."+name)...)
				}
			}
		case "additionalProperties":
			for name := range fields {
				properties, _ := s["properties"].(map[string]any)
				if _, known := properties[name]; !known && want == false {
					bad("has %s", name)
				} else if each, ok := want.(map[string]any); !known && ok {
					wrong = append(wrong, v.check(each, fields[name], path+"."+name)...)
				}
			}
		case "required":
			for _, name := range want.([]any) {
				if _, ok := fields[name.(string)]; fields != nil && !ok {
					bad("has no %s", name)
				}
			}
		case "dependentRequired":
			for name, needs := range want.(map[string]any) {
				for _, need := range needs.([]any) {
					if _, ok := fields[name]; ok && fields[need.(string)] == nil {
						bad("has no %s", need)
					}
				}
			}
		default:
			panic("unknown keyword " + keyword)
		}
	}
	return wrong
}

func (v validator) def(ref string) map[string]any {
	name, ok := strings.CutPrefix(ref, "#/$defs/")
	if !ok {
		panic("unknown reference " + ref)
	}
	return v.root["$defs"].(map[string]any)[name].(map[string]any)
}

func typeOf(value any) string {
	switch value.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	default:
		return "null"
	}
}

func isWhole(value any) bool {
	n, ok := value.(float64)
	return ok && n == math.Trunc(n)
}
