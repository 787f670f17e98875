package report

import (
	"encoding/json"
	"slices"

	"github.com/limitpal/limitpal-go/bench/record"
)

// Document is results.json: what was measured, summarised.
type Document struct {
	Settings []Setting  `json:"settings"` // as at the head of the record
	Baseline string     `json:"baseline"` // the contender to which ratios are given
	Rows     []Measured `json:"rows"`     // by study, workload, cores, goroutines per core, keys, contender and unit
}

// Setting is a line at the head of the record.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Measured is one contender under one load in one unit.
type Measured struct {
	Study             string  `json:"study"`
	Workload          string  `json:"workload,omitempty"`
	Keys              string  `json:"keys,omitempty"`
	GoroutinesPerCore int     `json:"goroutines_per_core,omitempty"`
	Cores             int     `json:"cores"`
	Contender         string  `json:"contender"`
	Unit              string  `json:"unit"`
	Median            float64 `json:"median"`
	LowerQuartile     float64 `json:"lower_quartile"`
	UpperQuartile     float64 `json:"upper_quartile"`
	Samples           int     `json:"samples"`
	// Ratio is Median as a multiple of the baseline's under the same load; absent if the baseline's is not there or 0.
	Ratio *float64 `json:"ratio,omitempty"`
}

// document is the record as a Document.
func (v *view) document() Document {
	d := Document{Settings: []Setting{}, Baseline: v.baseline, Rows: []Measured{}}
	for _, s := range v.Settings {
		d.Settings = append(d.Settings, Setting(s))
	}
	for _, row := range slices.SortedFunc(slices.Values(v.Rows(record.Row{})), compareRows) {
		for _, u := range v.Units(row) {
			s, ok := v.Summary(row, u)
			if !ok {
				continue
			}
			m := Measured{
				Study: row.Study, Workload: row.Workload, Keys: row.Keys, GoroutinesPerCore: row.PerCore, Cores: row.Cores,
				Contender: row.Contender, Unit: string(u),
				Median: s.Median, LowerQuartile: s.Low, UpperQuartile: s.High, Samples: s.Samples,
			}
			if x, ok := v.ratio(row, u, row.Contender, v.baseline); ok {
				m.Ratio = &x
			}
			d.Rows = append(d.Rows, m)
		}
	}
	return d
}

func (d Document) encode() ([]byte, error) {
	out, err := json.MarshalIndent(d, "", "\t")
	if err != nil {
		return nil, err
	}
	return append(out, '\n'), nil
}
