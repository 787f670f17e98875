//go:build !planted

package guard

// Planted reports whether a fault is planted: never in this build. With the build tag planted, tests see
// that the fault is found; see engine/engineverify/planted.
func Planted(string) bool { return false }
