package breaker

import (
	"math"
	"time"
)

// Forever is the duration of a state that ends only by hand; see engine.Engine.Force.
const Forever time.Duration = math.MaxInt64
