package enginenet_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"github.com/limitpal/limitpal-go/engine"
	"github.com/limitpal/limitpal-go/engine/enginenet"
	"github.com/limitpal/limitpal-go/limiter"
)

// A server whose connections may send 64 KiB at once and 1 MiB per second, each.
func Example() {
	eng, err := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{
			Capacity:   64 << 10 / enginenet.Block,
			RefillRate: limiter.PerSecond(1 << 20 / enginenet.Block),
		},
		IdleAfter: 10 * time.Second, // a connection is a key that does not come back
	})
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close(context.Background())

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	limited := &enginenet.Listener{Listener: ln, PerConn: eng}
	defer limited.Close()
	served := make(chan error, 1)
	go func() { // ends with its one connection
		conn, err := limited.Accept()
		if err == nil {
			_, err = conn.Write(make([]byte, 192<<10))
			_ = conn.Close()
		}
		served <- err
	}()

	begun := time.Now()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	n, err := io.Copy(io.Discard, client)
	fmt.Println(n>>10, "KiB", err, <-served)
	fmt.Println("in 125 ms or more:", time.Since(begun) >= 125*time.Millisecond)
	// Output:
	// 192 KiB <nil> <nil>
	// in 125 ms or more: true
}

// A client limits a connection of its own: what it uploads, by host.
func ExampleWrap() {
	eng, err := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 16, RefillRate: limiter.Per(1, time.Hour)}, // 1 KiB, and 64 bytes an hour
	})
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close(context.Background())

	conn, peer := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, peer) }() // ends when conn is closed
	limited := enginenet.Wrap(conn, enginenet.Limit{Engine: eng, Key: "192.0.2.1", Direction: enginenet.Writes})
	defer limited.Close()

	n, err := limited.Write(make([]byte, 1<<10))
	fmt.Println(n, err)
	_ = limited.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	n, err = limited.Write(make([]byte, 1<<10))
	fmt.Println(n, err)
	// Output:
	// 1024 <nil>
	// 0 write pipe pipe->pipe: i/o timeout
}
