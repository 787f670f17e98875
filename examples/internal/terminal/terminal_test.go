package terminal_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/examples/internal/terminal"
)

func TestScreen(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       []string
		wrapped    []string
	}{
		{"lines", "one\ntwo\n", []string{"one", "two", ""}, nil},
		{"scrolling", "1\n2\n3\n4\n", []string{"3", "4", ""}, nil},
		{"as wide as the screen", "12345\n─────\n", []string{"12345", "─────", ""}, nil},
		{"too wide", "123456\n", []string{"12345", "6", ""}, []string{"12345"}},
		{"too wide, cut", "\x1b[?7l123456\x1b[?7h\n", []string{"12346", ""}, []string{"12345"}},
		{"written over", "abc\rd\n", []string{"dbc", ""}, nil},
		{"erased line", "abc\rd\x1b[K\n", []string{"d", ""}, nil},
		{"redrawn block", "1\n2\n\r\x1b[A\x1b[A3\x1b[K\r\n\x1b[J", []string{"3", ""}, nil},
		{"up beyond the top", "1\n2\n\x1b[A\x1b[A\x1b[A\x1b[A3", []string{"3", "2", ""}, nil},
		{"colour", "\x1b[31mred\x1b[0m\x1b[?25l\x1b[?25h", []string{"red"}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			whole, bytewise := terminal.New(5, 3), terminal.New(5, 3)
			_, _ = io.WriteString(whole, row.text)
			for i := range len(row.text) {
				_, _ = bytewise.Write([]byte{row.text[i]})
			}
			for _, s := range []*terminal.Screen{whole, bytewise} {
				require.Equal(t, row.want, s.Lines())
				require.Equal(t, row.wrapped, s.Wrapped())
			}
		})
	}
	require.Panics(t, func() { fmt.Fprint(terminal.New(5, 3), "\x1b[2J") })
}
