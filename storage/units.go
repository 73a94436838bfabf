package storage

import (
	"slices"

	"github.com/telemdb/telemdb/storage/meta"
)

// A unit is what merges take whole: one segment, or all segments of a run. The segments of a run share one range of the
// log, so only the ranges of units are disjoint.

// lsnOf is the place of a file in the order of its partition: of a run's, that of the run.
func lsnOf(f *file) uint64 {
	if f.Run != nil {
		return f.Run.LSN
	}
	return f.Meta.MinLSN
}

// unitID tells units of one LSN apart.
func unitID(f *file) uint64 {
	if f.Run != nil {
		return f.Run.ID
	}
	return f.ID
}

// placeInRun orders the files of a unit.
func placeInRun(f *file) int {
	if f.Run != nil {
		return f.Run.At
	}
	return 0
}

// unitsOf cuts files of one partition, in their order, into units.
func unitsOf(files []*file) [][]*file {
	var out [][]*file
	for i := 0; i < len(files); {
		j := i + 1
		for j < len(files) && files[i].Run != nil && files[j].Run != nil && files[i].Run.ID == files[j].Run.ID {
			j++
		}
		out = append(out, files[i:j:j])
		i = j
	}
	return out
}

// stretches cuts the segments of partitions into units that may be merged with each other: those that follow each other and
// have nothing quarantined in them or between them.
func stretches(parts [][]*file) (out [][][]*file) {
	damaged := func(unit []*file) bool {
		return slices.ContainsFunc(unit, func(f *file) bool { return f.damaged.Load() })
	}
	for _, part := range parts {
		units := unitsOf(part)
		for len(units) > 0 {
			n := slices.IndexFunc(units, damaged)
			if n < 0 {
				n = len(units)
			}
			if n > 0 {
				out = append(out, units[:n:n])
			}
			units = units[min(n+1, len(units)):]
		}
	}
	return out
}

// makeRun gives files, which hold the rows of others in the order of the sort key, their places in one run.
func makeRun(out, in []*file) {
	lsn := lsnOf(in[0])
	for _, f := range in {
		lsn = min(lsn, lsnOf(f))
	}
	for i, f := range out {
		inheritPlace(f, in)
		if f.Run = nil; len(out) > 1 {
			f.Run = &meta.Run{ID: out[0].ID, At: i, LSN: lsn}
		}
	}
}
