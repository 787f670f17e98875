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

// All connections from one address share a bucket of 4 KiB.
func ExampleListener_perKey() {
	eng, err := engine.New(engine.Config{
		Limiter: limiter.TokenBucket{Capacity: 4 << 10 / enginenet.Block, RefillRate: limiter.Per(1, time.Hour)},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close(context.Background())

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	limited := &enginenet.Listener{Listener: ln, PerKey: eng, Direction: enginenet.Writes}
	defer limited.Close()

	for range 2 {
		client, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			log.Fatal(err)
		}
		defer client.Close()
		server, err := limited.Accept()
		if err != nil {
			log.Fatal(err)
		}
		defer server.Close()
		if _, err := server.Write(make([]byte, 1<<10)); err != nil {
			log.Fatal(err)
		}
		n, err := io.ReadFull(client, make([]byte, 1<<10))
		fmt.Println(n, "bytes sent,", err)
	}
	for key := range eng.Keys() {
		snapshot, _ := eng.Inspect(key)
		fmt.Printf("%s: %.0f bytes left\n", key, enginenet.Block*snapshot.Limits[0].Available)
	}
	// Output:
	// 1024 bytes sent, <nil>
	// 1024 bytes sent, <nil>
	// 127.0.0.1 writes: 2048 bytes left
}
