package main

import (
	"io"

	"github.com/limitpal/limitpal-go/examples/gateway/config"
	"github.com/limitpal/limitpal-go/examples/gateway/demo"
	"github.com/limitpal/limitpal-go/examples/gateway/proxy"
)

// begin starts the gateway of the demonstration, which serves as any other gateway.
func begin(file []byte) (*demo.Gateway, error) {
	cfg, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	server, err := proxy.Start(cfg, io.Discard) // the demonstration needs the terminal
	if err != nil {
		return nil, err
	}
	status := func() []demo.Route {
		all := server.Status()
		routes := make([]demo.Route, len(all))
		for i, s := range all {
			routes[i] = demo.Route{Name: s.Name, Breaker: s.Breaker.String(), OpenFor: s.OpenFor}
		}
		return routes
	}
	follower := &follower{file: "demonstration", server: server, config: cfg}
	return &demo.Gateway{URL: server.URL(), Status: status, Reload: follower.take, Close: server.Close}, nil
}
