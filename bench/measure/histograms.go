package measure

import (
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/limitpal/limitpal-go/bench/record"
)

// Histograms keeps all latencies that were seen, by row.
type Histograms struct {
	rows []record.Row
	all  map[record.Row]*hdrhistogram.Histogram
}

func (h *Histograms) add(row record.Row, seen *hdrhistogram.Histogram) {
	if h.all == nil {
		h.all = map[record.Row]*hdrhistogram.Histogram{}
	}
	if h.all[row] == nil {
		h.all[row] = newHistogram()
		h.rows = append(h.rows, row)
	}
	h.all[row].Merge(seen)
}

// Write writes them as an HdrHistogram log, version 1.3, which the tools of that project read. The tag of a histogram is
// its row.
func (h *Histograms) Write(w io.Writer, began, ended time.Time) error {
	log := hdrhistogram.NewHistogramLogWriter(w)
	if err := log.OutputComment("#[nanoseconds from the intended start of the call]"); err != nil {
		return err
	}
	if err := log.OutputLogFormatVersion(); err != nil {
		return err
	}
	if err := log.OutputStartTime(began.UnixMilli()); err != nil {
		return err
	}
	if err := log.OutputLegend(); err != nil {
		return err
	}
	for _, row := range h.rows {
		seen := h.all[row]
		seen.SetTag(row.String())
		seen.SetStartTimeMs(began.UnixMilli())
		seen.SetEndTimeMs(ended.UnixMilli())
		if err := log.OutputIntervalHistogram(seen); err != nil {
			return err
		}
	}
	return nil
}
