package main

import (
	"strings"
	"testing"
)

func TestAStrictRunFailsForWhatIsWrong(t *testing.T) {
	with := func(own, peer outcome) *report {
		return &report{Main: &result{Queries: []queryResult{
			{Name: "select1"}, {Name: "q1", Engines: map[string]*outcome{"telemdb": &own, "duckdb": &peer}}}}}
	}
	for _, c := range []struct {
		own, peer outcome
		want      string // "": no fault
	}{
		{outcome{Small: "ok"}, outcome{}, ""},
		{outcome{}, outcome{Error: "no such function"}, ""},
		{outcome{Differs: "row 3"}, outcome{}, "q1 differs: row 3"},
		{outcome{}, outcome{Differs: "an estimate that is off"}, ""},
		{outcome{Error: "out of order"}, outcome{}, "out of order"},
		{outcome{Small: "out of memory"}, outcome{}, "with little memory"},
		{outcome{Alone: true}, outcome{Error: "no such function"}, "no answer was compared"},
	} {
		err := with(c.own, c.peer).faults()
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v beside %+v: %v", c.own, c.peer, err)
		}
	}
}
