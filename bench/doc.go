// Package bench is the contention study: this module's engine beside the designs that it competes with and the libraries
// that people use today.
//
// It is a module of its own, so that the rivals never reach the go.sum of a user. Package contender holds them all, package
// conformance shows that they do the same work, and package workload says which calls they make. Measure with
//
//	for i in $(seq 10); do go test -run='^$' -bench=. -benchtime=200ms . ; done | tee raw.txt
//	benchstat -col /contender raw.txt
//
// The loop interleaves the contenders, which -count would not, so that what else the machine does hits all of them alike.
// A benchmark's name is its workload, then the population of keys, the contender, and the goroutines per core:
//
//	go test -run='^$' -bench='Calls/pipeline/keys=1k/.*/percore=1$' .
package bench
