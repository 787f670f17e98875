// Package enginenet limits the bytes per second of network connections with an engine: per connection, and per key, such as an IP address
// with many connections.
//
//	perConn, err := engine.New(engine.Config{
//		Limiter: limiter.TokenBucket{
//			Capacity:   64 << 10 / enginenet.Block,                       // a burst of 64 KiB
//			RefillRate: limiter.PerSecond(1 << 20 / enginenet.Block), // 1 MiB per second
//		},
//	})
//	ln = &enginenet.Listener{Listener: ln, PerConn: perConn}
//
// A [Listener] limits what a server's connections read and write, [Wrap] any one connection, as of a client.
//
// # What is counted
//
// A token is a [Block] of 64 bytes. Each direction of a connection takes whole blocks and carries the rest of the last one over to its
// next bytes, so that small writes pay for their bytes and not for a block each. Over any time t a bucket lets through at most Capacity
// blocks + RefillRate × t, and a connection at most 63 bytes of a block paid for earlier on top of it.
//
// Bytes to be written are paid for and then handed to the connection below. Bytes that were read are paid for and then handed to the
// caller; until then the reader of this connection waits, TCP's window fills, and the peer slows down. What is below has buffers of its
// own (those of the kernel hold some hundred KiB), so that what a wire carries in an instant is up to it.
//
// # Chunks
//
// Large reads and writes go in chunks of at most 64 KiB, of what the smallest capacity holds, and of what is there without waiting; or,
// when that is less, of what the slowest limit gains in 50 ms. So a write larger than the capacity is no error, and one that waits goes
// on leaving at the rate. A chunk waits in the queue of its key behind those that came before it, first come, first served.
//
// # Configuration of the engine
//
// Use a limiter.TokenBucket. (A LeakyBucket refuses who comes when its places are taken, which ends a Write in its midst.) Its capacity
// should be at least what the rate gives in 10 ms, or a process that wakes late loses some of its rate. Leave Config.MaxWait 0: deadlines
// and Close end a wait. Set Config.MaxQueue to at least the number of connections that one key may have. Set Config.IdleAfter to some
// seconds for an engine that limits each connection, since every connection is a key that is used once, and Config.MaxKeys to at least
// twice the number of connections. Breaker and Retry play no part.
//
// # TLS and HTTP/2
//
// The limit goes below TLS: tls.NewListener(&enginenet.Listener{...}, config). An http.Server takes a connection for TLS, and offers
// HTTP/2, only if it is a *tls.Conn itself. What is counted are then the bytes on the wire, TLS records and all.
//
// # Goroutines
//
// No connection has a goroutine, and no timer unless it waits for its bucket. The engine has one for a key while someone waits for it.
package enginenet
