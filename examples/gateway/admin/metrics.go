package admin

import (
	"log"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/engineprom"
)

// mostScrapes is the largest number of scrapes at a time. Further scrapes are answered 503.
const mostScrapes = 4

// metrics answers with the figures of the engines, with the label route, and of the process.
func metrics(g Gateway, errors *log.Logger) http.Handler {
	process := prometheus.NewRegistry()
	process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gather := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		engines, err := figures(g)
		if err != nil {
			return nil, err
		}
		return prometheus.Gatherers{engines, process}.Gather()
	})
	return promhttp.HandlerFor(gather, promhttp.HandlerOpts{
		EnableOpenMetrics: true, MaxRequestsInFlight: mostScrapes, ErrorLog: errors,
	})
}

// figures returns the figures of the engines that the gateway has now. The engines keep their
// figures, so that none is lost between two scrapes.
func figures(g Gateway) (prometheus.Gatherer, error) {
	byRoute := map[string][]*engine.Engine{}
	for _, one := range g.Guards() {
		byRoute[one.Route] = append(byRoute[one.Route], one.Engine)
	}
	all := prometheus.NewRegistry()
	for route, engines := range byRoute {
		c, err := engineprom.New(engines...) // the names of a route's engines differ
		if err != nil {
			return nil, err
		}
		if err := prometheus.WrapRegistererWith(prometheus.Labels{"route": route}, all).Register(c); err != nil {
			return nil, err
		}
	}
	return all, nil
}
