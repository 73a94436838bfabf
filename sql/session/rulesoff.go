package session

import (
	"fmt"
	"slices"
	"strings"

	"github.com/telemdb/telemdb/sql/opt"
)

// rulesOff reads telemdb.optimizer_off.
func rulesOff(v string) map[string]bool {
	if v == "" {
		return nil
	}
	off := map[string]bool{}
	for name := range strings.SplitSeq(v, ",") {
		off[strings.TrimSpace(name)] = true
	}
	return off
}

// checkRules accepts names of rules of the optimiser.
func checkRules(v string) (string, error) {
	for name := range rulesOff(v) {
		if known := opt.Rules(); !slices.Contains(known, name) {
			return "", hintText(fmt.Sprintf("Available values: %s.", strings.Join(known, ", ")))
		}
	}
	return v, nil
}
