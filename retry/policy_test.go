package retry_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/limitpal/limitpal-go/retry"
)

func TestValidateNamesEveryBadField(t *testing.T) {
	for name, tc := range map[string]struct {
		policy retry.Policy
		fields []string
	}{
		"zero value":                 {retry.Policy{}, nil},
		"everything set":             {retry.Policy{MaxAttempts: 1, BaseDelay: 1, MaxDelay: 1, Backoff: 1, Jitter: retry.DecorrelatedJitter, MaxElapsed: 1, Seed: 1}, nil},
		"BaseDelay above default":    {retry.Policy{BaseDelay: time.Minute}, nil},
		"MaxDelay below default":     {retry.Policy{MaxDelay: time.Millisecond}, nil},
		"negative MaxAttempts":       {retry.Policy{MaxAttempts: -1}, []string{"MaxAttempts"}},
		"negative BaseDelay":         {retry.Policy{BaseDelay: -1}, []string{"BaseDelay"}},
		"negative MaxDelay":          {retry.Policy{MaxDelay: -1}, []string{"MaxDelay"}},
		"negative MaxDelay and base": {retry.Policy{BaseDelay: time.Second, MaxDelay: -1}, []string{"MaxDelay"}},
		"MaxDelay below BaseDelay":   {retry.Policy{BaseDelay: 2, MaxDelay: 1}, []string{"MaxDelay"}},
		"Backoff below 1":            {retry.Policy{Backoff: 0.999}, []string{"Backoff"}},
		"Backoff negative":           {retry.Policy{Backoff: -2}, []string{"Backoff"}},
		"Backoff NaN":                {retry.Policy{Backoff: math.NaN()}, []string{"Backoff"}},
		"Backoff +Inf":               {retry.Policy{Backoff: math.Inf(1)}, []string{"Backoff"}},
		"Backoff -Inf":               {retry.Policy{Backoff: math.Inf(-1)}, []string{"Backoff"}},
		"Jitter past the last":       {retry.Policy{Jitter: retry.DecorrelatedJitter + 1}, []string{"Jitter"}},
		"Jitter negative":            {retry.Policy{Jitter: -1}, []string{"Jitter"}},
		"negative MaxElapsed":        {retry.Policy{MaxElapsed: -1}, []string{"MaxElapsed"}},
		"all at once": {
			retry.Policy{MaxAttempts: -1, BaseDelay: -1, MaxDelay: -1, Backoff: -1, Jitter: -1, MaxElapsed: -1},
			[]string{"MaxAttempts", "BaseDelay", "MaxDelay", "Backoff", "Jitter", "MaxElapsed"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.policy.Validate()
			if tc.fields == nil {
				require.NoError(t, err)
				return
			}
			joined, ok := err.(interface{ Unwrap() []error })
			require.True(t, ok, "not from errors.Join: %v", err)
			var fields []string
			for _, one := range joined.Unwrap() {
				bad, ok := errors.AsType[*retry.ConfigError](one)
				require.True(t, ok, "%v", one)
				fields = append(fields, bad.Field)
				assert.NotEmpty(t, bad.Reason)
			}
			assert.Equal(t, tc.fields, fields)
		})
	}
}

func TestConfigErrorSaysFieldValueAndReason(t *testing.T) {
	err := retry.Policy{BaseDelay: time.Second, MaxDelay: time.Millisecond}.Validate()
	bad, ok := errors.AsType[*retry.ConfigError](err)
	require.True(t, ok)
	assert.Equal(t, &retry.ConfigError{Field: "MaxDelay", Value: time.Millisecond, Reason: "must be at least BaseDelay (1s)"}, bad)
	assert.EqualError(t, bad, "retry: Policy.MaxDelay = 1ms: must be at least BaseDelay (1s)")
}

func TestJitterString(t *testing.T) {
	assert.Equal(t, "FullJitter", retry.FullJitter.String())
	assert.Equal(t, "NoJitter", retry.NoJitter.String())
	assert.Equal(t, "EqualJitter", retry.EqualJitter.String())
	assert.Equal(t, "DecorrelatedJitter", retry.DecorrelatedJitter.String())
	assert.Equal(t, "Jitter(9)", retry.Jitter(9).String())
	assert.Equal(t, "Jitter(-1)", retry.Jitter(-1).String())
	assert.Equal(t, retry.FullJitter, retry.Policy{}.Jitter)
}
