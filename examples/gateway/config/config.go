// Package config reads the configuration of the gateway, a file of strict JSON. The result is a
// [Config] with every default filled in, or one error with all mistakes in the file.
package config

import (
	"slices"
	"strings"
	"time"
)

// Config is a configuration. [Load] makes a Config whose fields are valid, with defaults for the
// fields that the file leaves out.
type Config struct {
	// Schema is the address of a JSON Schema, for editors. Load does not use Schema.
	Schema string `json:"$schema"`
	// Listen is the address to serve on, "host:port". Port 0 is a free port. Default ":8080".
	Listen string `json:"listen"`
	// Admin is the address on which the gateway shows itself to its operators, "host:port". Without
	// a host the address is on the loopback interface: ":9090" is "127.0.0.1:9090", and
	// "0.0.0.0:9090" is open to the network. Default: none.
	Admin string `json:"admin"`
	// AdminForce lets the operators at Admin force breakers open and closed by hand. AdminForce is of
	// use only with Admin. Default false: Admin changes nothing.
	AdminForce bool `json:"admin_force"`
	// TrustedProxies is the number of proxies between the clients and the gateway, 0 to 16. The
	// address of a client is the entry of X-Forwarded-For with that number, counted from the end,
	// and the fields in which these proxies describe the client pass to upstreams. With 0 the
	// gateway believes no such field, and drops them all. Default 0.
	TrustedProxies int `json:"trusted_proxies"`
	// Shutdown is how long requests that are running may take to end after SIGINT or SIGTERM; and
	// how long engines that a reload has put out of use are kept for the requests that are running.
	// Default 10 s.
	Shutdown Duration `json:"shutdown"`
	// Log is the form of the access log on standard error: "text", "json" or "off". Default "text".
	Log string `json:"log"`
	// Timeouts bound the time that clients may take.
	Timeouts Timeouts `json:"timeouts"`
	// Connection bounds the bytes per second of each connection of a client. Default: no bound.
	Connection *Connection `json:"connection"`
	// MaxClientConnections is the largest number of connections of clients, idle connections
	// included. Beyond that number a new connection waits, in the queue of the system, until
	// another connection ends. Default: no bound.
	MaxClientConnections int `json:"max_client_connections"`
	// MaxHeaderBytes is the largest size of a request's line and header together, 4 KiB to 16 MiB.
	// A larger request is answered 431. Default 64 KiB.
	MaxHeaderBytes Size `json:"max_header_bytes"`
	// Exempt names requests that no limiter of a route concerns. Default: none.
	Exempt Exempt `json:"exempt"`
	// Routes say which requests go to which upstream. At least one.
	Routes []Route `json:"routes"`
}

// Timeouts bound the time that clients may take.
type Timeouts struct {
	// ReadHeader is how long the header of a request may take. Default 10 s.
	ReadHeader Duration `json:"read_header"`
	// Read is how long the body of a request may take to arrive. A slower body is answered 408.
	// Default: no bound, for uploads of any length.
	Read Duration `json:"read"`
	// Write is how long an answer may take to leave, from the end of the request's header. Default:
	// no bound, for streams.
	Write Duration `json:"write"`
	// Idle is how long a connection is kept for the next request. Default 2 min.
	Idle Duration `json:"idle"`
	// Stall is how long a client may send nothing of a body that is awaited, and take nothing of an
	// answer. The request is answered 408 in the first case, and cut off in the second. Default 30
	// s.
	Stall Duration `json:"stall"`
	// HalfClosed is how long a request goes on in silence after the client has closed its direction
	// of the connection. TCP does not tell whether such a client still reads. Default 3 s.
	HalfClosed Duration `json:"half_closed"`
}

// Exempt names requests that neither Limiter nor AddressLimiter of a route concerns, such as the
// checks of a load balancer. Breaker and retries concern every request.
type Exempt struct {
	// Addresses are the addresses of clients whose requests are exempt: "192.0.2.1", "10.0.0.0/8",
	// "2001:db8::/64". An IPv6 address counts as its /64, so that no longer prefix has a meaning.
	Addresses []Network `json:"addresses"`
	// Paths are exempt, each with every path below it, as for Path of a Route. A "/" at the end
	// means nothing.
	Paths []string `json:"paths"`
}

// Connection bounds the bytes per second of each connection, reads and writes as the listener of
// engine/enginenet counts them.
type Connection struct {
	// Rate is the number of bytes that a connection may transfer per second in the long run, 1 B/s
	// to 64 GB/s. Rate must be given.
	Rate ByteRate `json:"rate"`
	// Burst is the number of bytes that a connection may transfer at once, at least 64 B. Default:
	// the bytes of one second, but at least 4 KiB and at most 1 MiB.
	Burst Size `json:"burst"`
}

// Load reads a configuration (RFC 8259, UTF-8) and fills in the defaults. The names of fields are
// exactly those of the json tags, and none may come twice. The error is a [Mistakes] with all
// mistakes in the order of the file. If the text is not JSON, the error has the first fault of the
// text alone.
func Load(data []byte) (*Config, error) { return load(data, nil) }

// load is Load without a configuration before, and Config.Next with one.
func load(data []byte, before *Config) (*Config, error) {
	root, fault := parse(data)
	if fault != nil {
		return nil, Mistakes{*fault}
	}
	d := decoder{nodes: map[string]*node{}, wrong: map[string]bool{}, meant: map[string]bool{}}
	c := new(Config)
	d.decode(root, "", valueOf(c))
	d.check(c)
	if before != nil {
		d.stays(c, before)
	}
	if len(d.mistakes) > 0 {
		slices.SortStableFunc(d.mistakes, Mistake.compare)
		return nil, d.mistakes
	}
	return c, nil
}

// fill gives every field that is zero its default. Route.fill does so for a route.
func (c *Config) fill() {
	c.Listen = or(c.Listen, ":8080")
	if strings.HasPrefix(c.Admin, ":") {
		c.Admin = "127.0.0.1" + c.Admin
	}
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
