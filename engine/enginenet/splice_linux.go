package enginenet

import (
	"net"
	"os"
	"syscall"
	"unsafe"
)

// readable returns a function that waits until s has bytes, without reading any, and returns how
// many s has; 0 means the end. Bytes are paid for only then: bytes that were paid for while the
// source stalled would leave on top of a later burst.
func readable(s socket) func() (int64, error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	return func() (int64, error) {
		var there int64
		var fault error
		err := raw.Read(func(fd uintptr) (done bool) {
			there, done, fault = pending(fd)
			return done
		})
		if err == nil && fault != nil {
			err = &net.OpError{Op: "read", Net: s.LocalAddr().Network(), Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: fault}
		}
		return there, err
	}
}

// pending returns the number of bytes that can be read from a socket. If there are none and the
// socket is not at its end, done is false.
func pending(fd uintptr) (n int64, done bool, err error) {
	var first [1]byte // FIONREAD alone cannot tell the end from no bytes yet
	for {
		got, _, err := syscall.Recvfrom(int(fd), first[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return 0, false, nil
		case err != nil:
			return 0, true, os.NewSyscallError("recvfrom", err)
		case got == 0:
			return 0, true, nil
		}
		var queued int32
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCINQ, uintptr(unsafe.Pointer(&queued))); errno != 0 {
			return 1, true, nil // the byte that was peeked at
		}
		return max(1, int64(queued)), true, nil
	}
}
