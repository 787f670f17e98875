package mailbox_test

import (
	"errors"
	"fmt"

	"github.com/limitpal/limitpal-go/mailbox"
)

func Example() {
	b := mailbox.New[string](2)
	for _, m := range []string{"first", "second", "third"} {
		if err := b.TryPut(m); errors.Is(err, mailbox.ErrFull) {
			fmt.Println(m, "has to wait:", err)
		}
	}
	fmt.Println(b.Take(), b.Take())
	fmt.Println("closed:", b.CloseIfEmpty())
	fmt.Println(b.TryPut("late"))
	// Output:
	// third has to wait: mailbox: full
	// first second
	// closed: true
	// mailbox: closed
}
