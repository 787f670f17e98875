//go:build planted

package actors

import "os"

var plantedFault = os.Getenv("LIMITPAL_FAULT")

// planted reports whether the environment names the fault.
func planted(fault string) bool { return fault == plantedFault }
