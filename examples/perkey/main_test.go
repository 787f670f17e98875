package main

func Example() {
	main()
	// Output:
	// noisy asked 1000 times: 10 allowed
	// quiet asks once: true
	// quiet sends a batch of 20: false
	// quiet sends a batch of 6: true
	// noisy has 0 tokens left
	// quiet has 3 tokens left
	// never seen is not known: looking does not create a key
	// noisy again: limiter: limited, come back in 6s
}
