package main

import (
	"errors"
	"fmt"
)

// faults is what a strict run fails for: an answer of telemdb that differs, a query that it does not answer, also with little
// memory, and that nothing was compared at all.
func (r *report) faults() error {
	compared := 0
	var found []error
	for _, res := range []*result{r.Main, r.Cut} {
		if res == nil {
			continue
		}
		for _, q := range res.asked() {
			for name, x := range q.Engines {
				switch {
				case name != "telemdb": // a peer's estimate may be off
				case x.Differs != "":
					found = append(found, fmt.Errorf("%s differs: %s", q.Name, x.Differs))
				case x.Error != "":
					found = append(found, fmt.Errorf("%s: %s", q.Name, x.Error))
				case x.Small != "" && x.Small != "ok":
					found = append(found, fmt.Errorf("%s with little memory: %s", q.Name, x.Small))
				case !x.Alone:
					compared++
				}
			}
		}
	}
	if compared == 0 {
		found = append(found, errors.New("no answer was compared: no peer takes part"))
	}
	return errors.Join(found...)
}
