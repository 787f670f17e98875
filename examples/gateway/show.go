package main

import (
	"context"
	"io"
	"iter"

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
	changes := func(ctx context.Context) iter.Seq[demo.Change] {
		return func(yield func(demo.Change) bool) {
			for e := range server.EventsSince(ctx, 0) {
				if e.From != e.To && !yield(demo.Change{Route: e.Route, State: e.To.String(), At: e.At, Until: e.Until}) {
					return
				}
			}
		}
	}
	follower := &follower{file: "demonstration", server: server, config: cfg}
	return &demo.Gateway{URL: server.URL(), Changes: changes, Reload: follower.take, Close: server.Close}, nil
}
