//go:build darwin || linux

package demo

import (
	"os"
	"syscall"
	"unsafe"
)

// rows is the height of the terminal f, or 0 if f is no terminal.
func rows(f *os.File) int {
	conn, err := f.SyscallConn() // File.Fd would make f blocking
	if err != nil {
		return 0
	}
	var size struct{ rows, columns, width, height uint16 } // struct winsize of tty_ioctl(4)
	failed := conn.Control(func(fd uintptr) {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
		if errno != 0 {
			size.rows = 0
		} else if size.rows == 0 {
			size.rows = 24 // the terminal has no known size, as a serial line
		}
	})
	if failed != nil {
		return 0
	}
	return int(size.rows)
}
