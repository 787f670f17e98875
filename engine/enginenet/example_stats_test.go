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

// A server sees how many bytes its connections have carried, and for how long the limit has held
// them back.
func ExampleListener_Stats() {
	eng, err := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 16, RefillRate: limiter.Per(1, 300*time.Millisecond)}, // 1 KiB, and then 64 bytes
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
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	go func() { _, _ = io.Copy(io.Discard, client) }() // ends when the server closes the connection

	conn, err := limited.Accept()
	if err != nil {
		log.Fatal(err)
	}
	if _, err = conn.Write(make([]byte, 1<<10+64)); err != nil {
		log.Fatal(err)
	}
	fmt.Println("open:", limited.Stats().Open)
	conn.Close()
	s := limited.Stats()
	fmt.Println("open:", s.Open, "accepted:", s.Accepted, "refused:", s.Refused)
	fmt.Println("written:", s.BytesWritten, "read:", s.BytesRead)
	fmt.Println("throttled:", s.WriteThrottled > 0, s.ReadThrottled > 0)
	// Output:
	// open: 1
	// open: 0 accepted: 1 refused: 0
	// written: 1088 read: 0
	// throttled: true false
}
