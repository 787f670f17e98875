// Package enginenet limits the bytes per second of network connections with an engine: for each
// connection, and for each key, such as an IP address with many connections.
//
//	perConn, err := engine.New(engine.Config{
//		Limiter: limiter.TokenBucket{
//			Capacity:   64 << 10 / enginenet.Block,                   // a burst of 64 KiB
//			RefillRate: limiter.PerSecond(1 << 20 / enginenet.Block), // 1 MiB per second
//		},
//	})
//	ln = &enginenet.Listener{Listener: ln, PerConn: perConn}
//
// A [Listener] limits the bytes that a server's connections read and write. [Wrap] limits any
// single connection, such as a connection of a client.
//
// # Counting
//
// A token is a [Block] of 64 bytes. Each direction of a connection takes whole blocks, and carries
// the rest of the last block over to its next bytes, so that a small write pays for its bytes and
// not for a block. Over any time t a bucket lets through at most Capacity blocks + RefillRate × t;
// a connection may add at most 63 bytes of a block that was paid for earlier.
//
// Bytes to be written are paid for and then handed to the connection below. Bytes that were read
// are paid for and then handed to the caller. Until then the reader of this connection waits, TCP's
// window fills, and the peer slows down. The connection below has buffers of its own (the kernel's
// hold some hundred KiB), so that the bytes on a wire in a given instant depend on those buffers
// too.
//
// # Chunks
//
// Large reads and writes go in chunks. A chunk has at most 64 KiB, at most the smallest capacity,
// and at most the bytes that the buckets have without a wait; if the buckets have less, the bytes
// that the slowest limit gains in 50 ms. So a write larger than the capacity is no error, and a
// write that waits goes on leaving at the rate. Chunks of a key are served first come, first
// served.
//
// # Full queues
//
// At most Config.MaxQueue chunks of a key wait in the engine's queue. The chunks of further
// connections wait before the queue, first come, first served, until their turn comes, their
// deadline passes or their connection is closed: no connection is cut because its key has many. If
// Config.MaxWait is set, MaxWait bounds the whole wait of a chunk for each limit.
//
// # Names
//
// A connection of a Listener gets its keys at its first Read, Write or ReadFrom, and not in Accept,
// because a connection below may wait for its peer before telling an address. A silent peer behind
// a listener of the PROXY protocol so holds up no other connection. Deadlines and Close end the
// wait for an address. A key above 256 bytes is hashed.
//
// # Fields of the engine's Config
//
// If an engine has a field that this package cannot honour, Accept of a Listener, or Read, Write
// and ReadFrom of a connection made with Wrap, return an error that joins a *engine.ConfigError for
// each such field.
//
//	Name       honoured
//	Limiter    honoured; nil: no limit. Use a TokenBucket. A LeakyBucket paces: a chunk leaves when
//	           all chunks before have leaked out. A FixedWindow lets the bytes of a window pass at once,
//	           and then none until the next. A connection follows a limit that changes from the
//	           next chunk on, but one that began without a limit stays without
//	LimiterFor honoured; it is asked for the Key of a Limit, with " reads" or " writes"
//	Concurrency  error unless nil: a chunk is in flight for no time
//	Breaker    error unless nil: no call is made that could fail
//	Retry      error unless nil: likewise
//	PerCall    honoured, there are no attempts
//	Shadow     honoured: nothing waits
//	Timeout    error unless 0: deadlines end a wait
//	AttemptTimeout  error unless 0: likewise
//	MaxWait    honoured; leave MaxWait 0, since deadlines and Close end a wait
//	MaxQueue   honoured; further chunks wait before the queue, see above
//	Classify   error unless nil: likewise
//	Trace      honoured for refusals; there are no attempts
//	Latency    error unless false: there are no attempts to measure
//	MaxKeys    honoured; at least twice the number of connections for PerConn, since a connection
//	           has a key for reads and a key for writes
//	IdleAfter  honoured; some seconds for PerConn, since the keys of a connection are used once
//	Clock      honoured for tokens; deadlines are on the system's clock
//	Dispatch   honoured
//
// The capacity should be at least the tokens of 10 ms, or a process that wakes late loses a part of
// the rate.
//
// # TLS and HTTP/2
//
// The limit goes below TLS: tls.NewListener(&enginenet.Listener{...}, config). An http.Server
// speaks TLS with a connection, and offers HTTP/2, only if the connection is a *tls.Conn itself.
// The counted bytes are then the bytes on the wire, with the TLS records.
//
// # Statistics
//
// [Listener.Stats] counts the connections of a Listener, their bytes, and the throttled time: the
// time for which limits have held calls back. [Conn.Stats] has the bytes and the throttled time of
// one connection, also of a connection of [Wrap]. Throttled time begins when an engine does not let
// a chunk through at once, and ends with the wait; a call that need not wait reads no clock. With
// Dispatch: engine.Mailbox the time of every decision counts. Stats.Waiting of the engine tells how
// many calls wait now. Counting allocates nothing.
//
// # Goroutines
//
// An idle connection has no goroutine. A connection has a timer only while it waits for its bucket,
// and a goroutine only while a connection below that is not of package net is asked for its
// addresses. The engine has a goroutine for a key while a call waits for the key.
package enginenet
