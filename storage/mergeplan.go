package storage

import (
	"maps"
	"slices"
	"sync"

	"github.com/telemdb/telemdb/storage/compact"
)

// mergePlanner knows, for every partition, what to merge next and how much merging is due. A table's plans are kept until
// its list of files changes, and those of its partitions that did not change even then, so that a step costs nothing
// where nothing has happened.
type mergePlanner struct {
	mu     sync.Mutex
	slot   int64 // Now / compact.StepSeconds of the plans
	tables map[uint32]*tablePlan
	debt   mergeDebt
	held   bool // the last merge failed, or had no room: nobody waits for merges
}

// mergeDebt is the merging that is due at one moment: what would be read and written until every partition is in the
// shape it should have by then.
type mergeDebt struct {
	bytes int64 // of files, rewritten
	files int   // that would go
}

type tablePlan struct {
	files []*file // as in the version
	parts []partPlan
	debt  mergeDebt
	due   int // files that would go from its worst partition
}

// partPlan is the plan of a stretch of one partition.
type partPlan struct {
	units [][]*file
	next  compact.Range // of units
	debt  mergeDebt
}

func (p *partPlan) partition() int64 { return partitionOf(p.units[0][0]) }

// sameUnits compares units of files that stand in one order: those of equal files are equal.
func sameUnits(a, b [][]*file) bool {
	return slices.EqualFunc(a, b, func(x, y []*file) bool { return slices.Equal(x, y) })
}

// candidate is what a merge is to take.
type candidate struct {
	table uint32
	files []*file
	tier  int
}

// better tells which of two merges comes first: that of the shorter windows, then that of more files.
func (c candidate) better(o candidate) bool {
	if c.tier != o.tier {
		return c.tier < o.tier
	}
	return len(c.files) > len(o.files)
}

// plan brings the plans up to date with a version and returns the best merge of the tables that are live, none if it has
// no files.
func (p *mergePlanner) plan(v *version, c compact.Choice, live func(table uint32) bool) candidate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slot := c.Now / compact.StepSeconds; slot != p.slot || p.tables == nil {
		p.slot, p.tables = slot, map[uint32]*tablePlan{}
	}
	maps.DeleteFunc(p.tables, func(id uint32, _ *tablePlan) bool { return v.tables[id] == nil })
	var best candidate
	p.debt = mergeDebt{}
	for _, id := range sortedIDs(v.tables) {
		if !live(id) {
			delete(p.tables, id)
			continue
		}
		t := p.tables[id]
		if t == nil || !sameFiles(t.files, v.tables[id]) {
			t = planTable(v.tables[id], t, c)
			p.tables[id] = t
		}
		p.debt = p.debt.plus(t.debt)
		for i := range t.parts {
			if part := &t.parts[i]; !part.next.Empty() {
				k := candidate{id, slices.Concat(part.units[part.next.From:part.next.To]...), part.next.Tier}
				if best.files == nil || k.better(best) {
					best = k
				}
			}
		}
	}
	return best
}

func (d mergeDebt) plus(o mergeDebt) mergeDebt {
	return mergeDebt{d.bytes + o.bytes, d.files + o.files}
}

// sameFiles compares two lists of immutable versions: one that did not change is the same slice.
func sameFiles(a, b []*file) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// planTable plans the partitions of a table, but for those whose files are as before.
func planTable(files []*file, before *tablePlan, c compact.Choice) *tablePlan {
	t := &tablePlan{files: files}
	var known []partPlan
	if before != nil {
		known = before.parts
	}
	for _, units := range stretches(partitionsOf(files)) {
		for len(known) > 0 && known[0].partition() < partitionOf(units[0][0]) {
			known = known[1:]
		}
		if len(known) > 0 && sameUnits(known[0].units, units) {
			t.parts = append(t.parts, known[0])
		} else {
			t.parts = append(t.parts, planPartition(units, c))
		}
		last := t.parts[len(t.parts)-1]
		t.debt = t.debt.plus(last.debt)
		t.due = max(t.due, last.debt.files)
	}
	return t
}

// settledShare is the part of a merge's bytes, one in so many, that the rows of a long insert have at least to be left alone
// while their hour lasts.
const settledShare = 16

// planPartition plays the merges of a partition to their end: the first is the next one, all are its debt.
func planPartition(units [][]*file, c compact.Choice) partPlan {
	if m := units[0][0].Meta; m.HasPartition {
		c.Dated, c.Closed = true, (m.Partition+1)*daySeconds+closedGrace <= c.Now
	}
	list, disk := make([]compact.File, len(units)), make([]int64, len(units))
	for i, unit := range units {
		list[i] = compact.File{ID: unitID(unit[0]), From: unit[0].From, To: unit[0].To, Segments: len(unit)}
		for _, f := range unit {
			list[i].Bytes += f.Meta.ValueBytes
			list[i].From, list[i].To = min(list[i].From, f.From), max(list[i].To, f.To)
			disk[i] += f.Meta.Bytes
		}
		list[i].Settled = (unit[0].Bulk || len(unit) > 1) && list[i].Bytes >= c.BytesMax/settledShare
	}
	p := partPlan{units: units, next: compact.Pick(list, c)}
	for r := p.next; !r.Empty(); r = compact.Pick(list, c) {
		out, bytes, segments := list[r.From], int64(0), 0
		out.Bytes, out.Segments = 0, 1
		for i, f := range list[r.From:r.To] {
			out.Bytes += f.Bytes
			out.From, out.To = min(out.From, f.From), max(out.To, f.To)
			bytes += disk[r.From+i]
			segments += f.Segments
		}
		list = slices.Replace(list, r.From, r.To, out)
		disk = slices.Replace(disk, r.From, r.To, bytes)
		p.debt.bytes += bytes
		p.debt.files += segments - 1
	}
	return p
}

// hold notes whether merging goes on.
func (p *mergePlanner) hold(held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = held
}

// forget makes the next plan look at everything anew: what may be merged has changed though the files have not.
func (p *mergePlanner) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tables = nil
}

// owed returns the debt as of the last plan.
func (p *mergePlanner) owed() mergeDebt {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.debt
}

// sealFilesMax is how many files more than it should have a partition may have before the seals of its table wait for
// merges, so that decoding, and in the end submission, become as fast as merging is.
const sealFilesMax = 32

// crowded tells whether the seals of a table had better wait. Where merging does not go on they need not: that would
// only fill memory.
func (p *mergePlanner) crowded(table uint32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tables[table]
	return t != nil && !p.held && t.due > sealFilesMax
}
