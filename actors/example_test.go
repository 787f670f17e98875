package actors_test

import (
	"context"
	"fmt"

	"github.com/limitpal/limitpal-go/actors"
)

// visits counts visits, one actor per page. Its message is a call that is answered with the count.
type visits struct{}

type visit struct{ *actors.Call[int] }

// count is the state of an actor, and struct{} what it publishes: nothing.
type count int

func (visits) Init(int64, string, *struct{}, *count) actors.Next {
	return actors.Next{Wake: actors.Never, Clean: true} // nothing to keep yet: Resume can do it
}

func (visits) Receive(now func() int64, _ *struct{}, n *count, v *visit) actors.Next {
	if v.Claim() { // the caller is still there
		*n++
		v.Answer(int(*n))
	}
	return actors.Next{Wake: actors.Never, Forget: actors.Never, Used: now()}
}

func (visits) Wake(int64, *struct{}, *count) actors.Next { panic("never asked for") }

func (visits) Resume(string, *struct{}, *count)  {}
func (visits) SpillRank(*struct{}, *count) int64 { return actors.Never } // never to be given up
func (visits) Spill(string, *struct{}, *count)   {}
func (visits) Retire(int64, *struct{}) bool      { return true }

func (visits) Fail(_ int64, _ *struct{}, _ *count, _ error) actors.Next { // owes nothing to anybody
	return actors.Next{Wake: actors.Never, Forget: actors.Never}
}

func (visits) Refuse(v *visit, _ error) {
	if v.Claim() {
		v.Answer(-1)
	}
}

func Example() {
	ctx := context.Background()
	s, err := actors.New(visits{}, actors.Config{})
	if err != nil {
		panic(err)
	}
	for _, page := range []string{"/home", "/home", "/about", "/home"} {
		cell, err := s.Cell(page)
		if err != nil {
			panic(err)
		}
		v := actors.NewCall[int]()
		if err := s.Send(ctx, cell, visit{&v}); err != nil { // ErrRetired: look up again; see the engine
			panic(err)
		}
		fmt.Println(page, <-v.Answered())
	}
	fmt.Println("closed:", s.Close(ctx))
	// Output:
	// /home 1
	// /home 2
	// /about 1
	// /home 3
	// closed: <nil>
}
