package demo

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecordKnowsHowManyRequestsAreUnderWay(t *testing.T) {
	var r record
	require.Zero(t, r.running())
	r.begin(0, 1)
	r.begin(2, 2)
	r.begin(2, 3)
	require.Equal(t, 3, r.running())
	r.end(answer{route: 2, began: 2, ended: 4})
	require.Equal(t, 2, r.running())
}
