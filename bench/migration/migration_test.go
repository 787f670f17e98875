package migration

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine"
)

var errDown = errors.New("down")

// call is a guarded call.
type call = func(ctx context.Context, f fetch) (string, error)

// ends closes the engine at the end of a bubble.
func ends(t *testing.T, e *engine.Engine, err error) {
	t.Helper()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
}

// bothSides runs f with a call of the other library and with one of this.
func bothSides(t *testing.T, before, after func(t *testing.T) call, f func(t *testing.T, c call)) {
	t.Helper()
	for name, side := range map[string]func(t *testing.T) call{"before": before, "after": after} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, side(t)) })
		})
	}
}

func works(context.Context) (string, error) { return "ok", nil }

// fails counts its calls.
func fails(n *int) fetch {
	return func(context.Context) (string, error) { *n++; return "", errDown }
}

func TestGobreaker(t *testing.T) {
	bothSides(t, func(*testing.T) call { return withGobreaker() }, func(t *testing.T) call {
		c, e, err := gobreakerHere()
		ends(t, e, err)
		return c
	}, func(t *testing.T, c call) {
		n := 0
		for range 9 {
			_, err := c(t.Context(), fails(&n))
			require.Error(t, err)
		}
		require.Equal(t, 5, n)
		time.Sleep(11 * time.Second)
		v, err := c(t.Context(), works)
		require.NoError(t, err)
		require.Equal(t, "ok", v)
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		allow, wait := withRate()
		allowHere, waitHere, e, err := rateHere()
		ends(t, e, err)
		for range 20 {
			require.True(t, allow("ada"))
			require.True(t, allowHere("ada"))
		}
		require.False(t, allow("ada"))
		require.False(t, allowHere("ada"))
		require.True(t, allow("bob"))
		require.True(t, allowHere("bob"))
		for _, w := range []func(context.Context, string) error{wait, waitHere} {
			began := time.Now()
			require.NoError(t, w(t.Context(), "ada"))
			require.InDelta(t, 0.1, time.Since(began).Seconds(), 0.11)
		}
	})
}

func TestFailsafe(t *testing.T) {
	bothSides(t, func(*testing.T) call { return withFailsafe() }, func(t *testing.T) call {
		c, e, err := failsafeHere()
		ends(t, e, err)
		return c
	}, func(t *testing.T, c call) {
		n := 0
		for range 3 {
			_, err := c(t.Context(), fails(&n))
			require.ErrorIs(t, err, errDown)
		}
		require.Equal(t, 9, n, "three attempts each")
		for range 9 {
			_, _ = c(t.Context(), fails(&n))
		}
		require.Equal(t, 20, n, "then it is open")
		time.Sleep(6 * time.Second)
		_, err := c(t.Context(), works)
		require.NoError(t, err)
	})
}

func TestBackoff(t *testing.T) {
	bothSides(t, func(*testing.T) call { return withBackoff() }, func(*testing.T) call { return backoffHere() }, func(t *testing.T, c call) {
		n := 0
		_, err := c(t.Context(), fails(&n))
		require.ErrorIs(t, err, errDown)
		require.Equal(t, 4, n)
	})
}

// TestTheDocumentShowsTheCode: each block of docs/migration.md is a function of this package, and each function of before.go and after.go is
// shown.
func TestTheDocumentShowsTheCode(t *testing.T) {
	doc, err := os.ReadFile("../../docs/migration.md")
	require.NoError(t, err)
	shown := map[string]bool{}
	for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(doc), -1) {
		shown[block[1]] = true
	}
	n := 0
	for _, file := range []string{"before.go", "after.go"} {
		src, err := os.ReadFile(file)
		require.NoError(t, err)
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, src, parser.ParseComments)
		require.NoError(t, err)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				n++
				text := string(src[fset.Position(fn.Doc.Pos()).Offset:fset.Position(fn.End()).Offset]) + "\n"
				require.True(t, shown[text], "docs/migration.md does not show %s as it is", fn.Name.Name)
			}
		}
	}
	require.Len(t, shown, n)
}
