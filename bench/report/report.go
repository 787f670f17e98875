// Package report turns the record of a contention study into what people read: aligned tables for a terminal, a folder with
// JSON, charts and one page that opens offline, and this repository's own document about contention.
//
// Everything is made from a [record.Results] alone, and the same record gives the same bytes. Rows that a record does not have
// are left out.
package report

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/limitpal/limitpal-go/bench/record"
)

// Write writes what a run has found into dir, which it makes if need be: tables.txt as by [Text], results.json with one
// [Document], charts/*.svg, and index.html, a page that holds tables and charts and needs nothing else. Ratios are to the
// contender baseline.
func Write(dir string, r *record.Results, baseline string) error {
	v := newView(r, baseline)
	files := map[string][]byte{}
	var text bytes.Buffer
	if err := v.writeText(&text); err != nil {
		return err
	}
	files["tables.txt"] = text.Bytes()
	encoded, err := v.document().encode()
	if err != nil {
		return err
	}
	files["results.json"] = encoded
	charts := v.charts()
	for _, c := range charts {
		files[filepath.Join("charts", c.name+".svg")] = c.svg
	}
	page, err := v.page(charts)
	if err != nil {
		return err
	}
	files["index.html"] = page
	return save(dir, files)
}

// save writes files below dir.
func save(dir string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
