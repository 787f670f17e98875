// Package config reads the gateway's configuration: strict JSON in, a [Config] with every default filled in out, or all that is wrong
// with the file in one error.
package config

import (
	"slices"
	"time"
)

// Config is what a file says. [Load] makes it; its fields are then valid, and those that the file leaves out have their defaults.
type Config struct {
	// Schema is the address of a JSON Schema, for editors. It is not used.
	Schema string `json:"$schema"`
	// Listen is the address to serve on, "host:port". Port 0 is a free port. Default ":8080".
	Listen string `json:"listen"`
	// TrustedProxies is how many proxies stand between the clients and the gateway, 0 to 16. The address of a client is then taken from
	// X-Forwarded-For, that many entries from its end, and the field is passed on; with 0 what clients say in it is dropped. Default 0.
	TrustedProxies int `json:"trusted_proxies"`
	// Shutdown is how long requests that are running may take to end after SIGINT or SIGTERM. Default 10 s.
	Shutdown Duration `json:"shutdown"`
	// Log is the form of the access log on standard error: "text", "json" or "off". Default "text".
	Log string `json:"log"`
	// Timeouts bound what clients may take.
	Timeouts Timeouts `json:"timeouts"`
	// Connection bounds the bytes per second of each connection of a client. Default: no bound.
	Connection *Connection `json:"connection"`
	// MaxClientConnections is the largest number of connections of clients, idle ones included. Beyond that number a new connection waits,
	// in the system's queue, until another one ends. Default: no bound.
	MaxClientConnections int `json:"max_client_connections"`
	// MaxHeaderBytes is the largest size of a request's line and header, 4 KiB to 16 MiB. A larger one is answered 431. Default 64 KiB.
	MaxHeaderBytes Size `json:"max_header_bytes"`
	// Routes say which requests go where. At least one.
	Routes []Route `json:"routes"`
}

// Timeouts bound what clients may take.
type Timeouts struct {
	// ReadHeader is how long the header of a request may take. Default 10 s.
	ReadHeader Duration `json:"read_header"`
	// Read is how long the body of a request may take to arrive. A slower body is answered 408. Default: no bound, for uploads of any length.
	Read Duration `json:"read"`
	// Write is how long an answer may take to leave, from the end of the request's header. Default: no bound, for streams.
	Write Duration `json:"write"`
	// Idle is how long a connection is kept for the next request. Default 2 min.
	Idle Duration `json:"idle"`
	// Stall is how long a client may send nothing of a request's body that is awaited, and take nothing of an answer that is there. The
	// request is answered 408 in the first case, and cut off in the second. Default 30 s.
	Stall Duration `json:"stall"`
	// HalfClosed is how long a request goes on that is silent and whose client has closed its direction of the connection. TCP does not
	// tell a client that still reads from one that has left. Default 3 s.
	HalfClosed Duration `json:"half_closed"`
}

// Connection bounds the bytes per second of each connection, reads and writes as the listener of engine/enginenet counts them.
type Connection struct {
	// Rate is what a connection may transfer in the long run, 1 B/s to 64 GB/s. It must be given.
	Rate ByteRate `json:"rate"`
	// Burst is what a connection may transfer at once, at least 64 B. Default: what the rate gives in a second, but at least 4 KiB
	// and at most 1 MiB.
	Burst Size `json:"burst"`
}

// Load reads a configuration (RFC 8259, UTF-8) and fills in the defaults. The error is a [Mistakes] with everything that is wrong, in the
// order of the file, but for text that is no JSON: then it is the first fault of that. Names are those of the json tags, exactly, none
// twice.
func Load(data []byte) (*Config, error) {
	root, fault := parse(data)
	if fault != nil {
		return nil, Mistakes{*fault}
	}
	d := decoder{nodes: map[string]*node{}, wrong: map[string]bool{}, meant: map[string]bool{}}
	c := new(Config)
	d.decode(root, "", valueOf(c))
	d.check(c)
	if len(d.mistakes) > 0 {
		slices.SortStableFunc(d.mistakes, Mistake.compare)
		return nil, d.mistakes
	}
	return c, nil
}

// fill gives every field that is zero its default. Those of a route without a bound of its own are the route's business.
func (c *Config) fill() {
	c.Listen = or(c.Listen, ":8080")
	c.Shutdown = or(c.Shutdown, Duration(10*time.Second))
	c.Log = or(c.Log, "text")
	c.Timeouts.ReadHeader = or(c.Timeouts.ReadHeader, Duration(10*time.Second))
	c.Timeouts.Idle = or(c.Timeouts.Idle, Duration(2*time.Minute))
	c.Timeouts.Stall = or(c.Timeouts.Stall, Duration(30*time.Second))
	c.Timeouts.HalfClosed = or(c.Timeouts.HalfClosed, Duration(3*time.Second))
	c.MaxHeaderBytes = or(c.MaxHeaderBytes, 64<<10)
	if c.Connection != nil {
		c.Connection.Burst = or(c.Connection.Burst, min(max(Size(c.Connection.Rate), 4<<10), 1<<20))
	}
	for i := range c.Routes {
		c.Routes[i].fill()
	}
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
