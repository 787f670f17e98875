package enginehttp_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/engine/enginehttp"
)

func TestParseRateLimit(t *testing.T) {
	one := func(policy string, remaining int64, reset time.Duration) []enginehttp.ServiceLimit {
		return []enginehttp.ServiceLimit{{Policy: policy, Remaining: remaining, Reset: reset}}
	}
	const longest = math.MaxInt64 / time.Second * time.Second
	for value, want := range map[string][]enginehttp.ServiceLimit{
		``:                          nil,
		`  `:                        nil,
		`"default";r=50;t=30`:       one("default", 50, 30*time.Second),
		`"default";a=50;w=30`:       one("default", 50, 30*time.Second),
		`  "default";r=50;t=30  `:   one("default", 50, 30*time.Second),
		`"default"; r=50;  t=30`:    one("default", 50, 30*time.Second),
		`"default";t=30;r=50`:       one("default", 50, 30*time.Second),
		`"d";r=999`:                 one("d", 999, 0),
		`"d";r=1;r=2`:               one("d", 2, 0),
		`"d";r=0;t=0`:               one("d", 0, 0),
		`"";r=0`:                    one("", 0, 0),
		`"a \"b\" \\ c";r=1`:        one(`a "b" \ c`, 1, 0),
		`"d";r=1;pk=:cHsdsRa894==:`: one("d", 1, 0),
		`"d";x;r=1;y=?0;z=tok/en:*;d=@1659578233;f=-1.5;s="a,b;r=9"`: one("d", 1, 0),
		`"d";r=1;display=%"f%c3%bc"`:                                 one("d", 1, 0),
		`"d";*x=1;a.b-c_d*=1;r=1`:                                    one("d", 1, 0),
		`"d";r=999999999999999;t=999999999999999`:                    one("d", 999_999_999_999_999, longest),
		"\"a\";r=1 \t,\t \"b\";r=2":                                  {{Policy: "a", Remaining: 1}, {Policy: "b", Remaining: 2}},
		`"a";r=1,"a";r=2`:                                            {{Policy: "a", Remaining: 1}, {Policy: "a", Remaining: 2}},
	} {
		got, err := enginehttp.ParseRateLimit(value)
		require.NoError(t, err, value)
		require.Equal(t, want, got, value)
	}
}

func TestParseRateLimitRefuses(t *testing.T) {
	for _, value := range []string{
		`default;r=50`, `50`, `"default"`, `"default";t=30`, `"d";r`, `"d";r=`, `"d";r=-1`, `"d";r=+1`, `"d";r=1.0`, `"d";r="1"`, `"d";r=x`,
		`"d";r=1;t`, `"d";r=1;t=-1`, `"d";r=1;t=1.5`, `"d";r=1;t=?1`, `"d";r=1000000000000000`, `"d";r=1,`, `"d";r=1, `, `,"d";r=1`,
		`"d";r=1,,"e";r=1`, `"d";r=1 "e";r=1`, `"d;r=1`, `"d\n";r=1`, `"d\`, "\"d\n\";r=1", "\"d\x7f\";r=1", "\"ü\";r=1", `"d" ;r=1`,
		`"d";R=1`, `"d";1r=1;r=1`, `"d";;r=1`, `"d";r =1`, `"d";r= 1`, `"d";r=1;x=`, `"d";r=1;x=(1 2)`, `("d");r=1`, `"d";r=1;s="`,
		`"d";r=1;s=%x`,
		"\"d\";r=1\x00", `"d";r=1;`, "\t\"d\";r=1",
	} {
		got, err := enginehttp.ParseRateLimit(value)
		require.Error(t, err, value)
		require.Nil(t, got, value)
	}
}
