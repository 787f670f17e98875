package enginenet

import (
	"container/list"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// isFirst reports whether a call has been told that it is the first of its lobby.
func isFirst(call *list.Element) bool {
	select {
	case <-turnOf(call):
		return true
	default:
		return false
	}
}

// TestALobbyHasOneFirstCallAndLeavesNothing, whoever leaves when.
func TestALobbyHasOneFirstCallAndLeavesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	rows := map[place][]*list.Element{{key: "a"}: nil, {key: "b"}: nil}
	check := func() {
		open := 0
		for p, row := range rows {
			require.Equal(t, len(row) > 0, hasLobby(p))
			for i, call := range row {
				require.Equal(t, i == 0, isFirst(call))
			}
			if len(row) > 0 {
				open++
			}
		}
		require.EqualValues(t, open, lobbies.count.Load())
		require.Len(t, lobbies.of, open)
	}
	for range 2000 {
		for p, row := range rows {
			if len(row) == 0 || random.IntN(2) == 0 {
				row = append(row, enterLobby(p))
			} else {
				i := random.IntN(len(row))
				leaveLobby(p, row[i])
				row = append(row[:i], row[i+1:]...)
			}
			rows[p] = row
		}
		check()
	}
	for p, row := range rows {
		for _, call := range row {
			leaveLobby(p, call)
		}
		rows[p] = nil
	}
	check()
}
