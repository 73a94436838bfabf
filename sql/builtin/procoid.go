package builtin

import (
	"slices"

	"github.com/telemdb/telemdb/storage/types"
)

// Functions that PostgreSQL has carry its pg_proc oid; those of telemdb alone get numbers from firstOwnOID on, by name and
// arguments, which stay as they are between starts.
const firstOwnOID = 16010

// assignOIDs numbers all functions. Operators and casts are no rows of pg_proc and keep 0.
func assignOIDs(r *registry) {
	var own []string
	slots := map[string]*uint32{}
	give := func(sig string, oid *uint32) {
		if n, ok := procOIDs[sig]; ok {
			*oid = n
			return
		}
		own = append(own, sig)
		slots[sig] = oid
	}
	for name, fs := range r.scalars {
		for _, f := range fs {
			give(procKey(name, f.Args, f.Variadic), &f.OID)
		}
	}
	for name, fs := range r.sets {
		for _, f := range fs {
			give(procKey(name, f.Args, f.Variadic), &f.OID)
		}
	}
	for name, fs := range r.aggs {
		for _, f := range fs {
			give(procKey(name, f.Args, f.Variadic), &f.OID)
		}
	}
	slices.Sort(own)
	for i, sig := range own {
		*slots[sig] = firstOwnOID + uint32(i)
	}
}

func procKey(name string, args []types.Type, variadic bool) string {
	s := Signature(name, args)
	if variadic {
		return "variadic " + s
	}
	return s
}
