// Package planted has a test that plants faults in the code that ships, one at a time, and requires
// that the simulation of package engine finds each.
//
// A fault is a place in the code that calls Planted, or planted, with the fault's name. Without the
// build tag planted the function is the constant false, and the compiler drops the fault. With the
// tag, the environment variable LIMITPAL_FAULT names the fault to plant:
//
//	LIMITPAL_FAULT="a late refund" go test -tags planted ./engine -run '^TestSimulation$' -engine.simulations 2000
package planted
