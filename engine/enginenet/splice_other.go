//go:build !linux

package enginenet

// readable returns nil: only Linux has splice.
func readable(socket) func() (int64, error) { return nil }
