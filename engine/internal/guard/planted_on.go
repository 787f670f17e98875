//go:build planted

package guard

import "os"

var plantedFault = os.Getenv("LIMITPAL_FAULT")

// Planted reports whether the environment names the fault.
func Planted(fault string) bool { return fault == plantedFault }
