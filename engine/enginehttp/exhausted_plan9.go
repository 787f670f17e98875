package enginehttp

import (
	"errors"
	"syscall"
)

// exhausted reports whether err says that this process has run out of descriptors.
func exhausted(err error) bool { return errors.Is(err, syscall.EMFILE) }
