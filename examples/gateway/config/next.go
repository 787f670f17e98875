package config

import (
	"fmt"
	"strconv"
)

// Next reads the configuration that is to follow c while the gateway runs. Next is [Load], but a
// field that cannot change while the gateway runs is a mistake if the field differs from c: listen,
// admin, admin_force, log, max_header_bytes, timeouts.read_header, timeouts.write and timeouts.idle.
func (c *Config) Next(data []byte) (*Config, error) { return load(data, c) }

// stays notes the fields of c that cannot change while the gateway runs, and differ from before.
func (d *decoder) stays(c, before *Config) {
	for _, field := range []struct{ path, now, was string }{
		{"listen", c.Listen, before.Listen},
		{"admin", or(c.Admin, "no address"), or(before.Admin, "no address")},
		{"admin_force", strconv.FormatBool(c.AdminForce), strconv.FormatBool(before.AdminForce)},
		{"log", c.Log, before.Log},
		{"max_header_bytes", c.MaxHeaderBytes.String(), before.MaxHeaderBytes.String()},
		{"timeouts.read_header", c.Timeouts.ReadHeader.String(), before.Timeouts.ReadHeader.String()},
		{"timeouts.write", orNone(c.Timeouts.Write), orNone(before.Timeouts.Write)},
		{"timeouts.idle", c.Timeouts.Idle.String(), before.Timeouts.Idle.String()},
	} {
		if field.now != field.was {
			d.bad(field.path, fmt.Sprintf("cannot change from %s to %s while the gateway runs; start the gateway again", field.was, field.now))
		}
	}
}

func orNone(d Duration) string {
	if d == 0 {
		return "no bound"
	}
	return d.String()
}
