//go:build !plan9

package enginehttp

import (
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"
)

// shortages are the errors of a system that has run out of something in this process or on this
// machine. The last three are those of Windows sockets, and no errors of other systems.
var shortages = []syscall.Errno{
	syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL,
	10024, 10055, 10049, // WSAEMFILE, WSAENOBUFS, WSAEADDRNOTAVAIL
}

// exhausted reports whether err says that this process or machine has run out of descriptors,
// memory or local ports.
func exhausted(err error) bool {
	if name, ok := errors.AsType[*net.DNSError](err); ok { // keeps the text of its cause only
		return slices.ContainsFunc(shortages, func(e syscall.Errno) bool { return strings.HasSuffix(name.Err, e.Error()) })
	}
	errno, ok := errors.AsType[syscall.Errno](err)
	return ok && slices.Contains(shortages, errno)
}
