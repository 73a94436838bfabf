package op

import (
	"errors"
	"slices"
	"sort"
	"sync"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// gatherPlain is gatherChunks where nothing is NULL; n is the number of rows that out has.
func gatherPlain(out *vec.Vector, chunks []*vec.Vector, rows []uint32, n int) {
	switch out.Type.Phys() {
	case types.PhysInt64:
		out.I64 = slices.Grow(out.I64, len(rows))[:n+len(rows)]
		for k, r := range rows {
			out.I64[n+k] = chunks[r>>chunkBits].I64[r&(chunkRows-1)]
		}
	case types.PhysFloat64:
		out.F64 = slices.Grow(out.F64, len(rows))[:n+len(rows)]
		for k, r := range rows {
			out.F64[n+k] = chunks[r>>chunkBits].F64[r&(chunkRows-1)]
		}
	case types.PhysBytes:
		if len(out.Off) == 0 {
			out.Off = append(out.Off, 0)
		}
		for _, r := range rows {
			c, i := chunks[r>>chunkBits], r&(chunkRows-1)
			out.Data = append(out.Data, c.Data[c.Off[i]:c.Off[i+1]]...)
			out.Off = append(out.Off, uint32(len(out.Data)))
		}
	default:
		gatherNullable(out, chunks, rows)
		return
	}
	out.N = n + len(rows)
}

// mergeRuns merges sorted runs into one order, of at most limit rows if limit > 0. The output is cut into parts at rows of
// the longest run, which are found in the others by bisection, so that the parts can be merged side by side.
func mergeRuns(runs []*sortRun, workers int, limit int64) ([]uint32, error) {
	total := 0
	bases := make([]uint32, len(runs))
	chunks := 0
	for i, r := range runs {
		total += r.n
		bases[i] = uint32(chunks << chunkBits)
		chunks += len(r.chunks)
	}
	out := make([]uint32, total)
	at := 0
	var parts []mergePart
	for c := range classes {
		items := make([][]sortItem, len(runs))
		n := 0
		for i, r := range runs {
			items[i] = r.items[c]
			n += len(items[i])
		}
		k := 1
		if n > 1<<16 && len(runs) > 1 {
			k = workers
		}
		parts = cutParts(parts, runs, bases, items, out[at:at+n], k)
		at += n
	}
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i := range parts {
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer guard(&errs[i])
			parts[i].merge()
		}()
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if limit > 0 && int64(len(out)) > limit {
		out = out[:limit]
	}
	return out, nil
}

// mergePart is a stretch of the output and the items it is made of.
type mergePart struct {
	runs  []*sortRun
	bases []uint32
	items [][]sortItem
	out   []uint32
}

// cutParts appends about k parts that make out.
func cutParts(parts []mergePart, runs []*sortRun, bases []uint32, items [][]sortItem, out []uint32, k int) []mergePart {
	if len(out) == 0 {
		return parts
	}
	longest := 0
	for i := range items {
		if len(items[i]) > len(items[longest]) {
			longest = i
		}
	}
	from := make([]int, len(items))
	for p := 1; p <= k; p++ {
		part := mergePart{runs: runs, bases: bases, items: make([][]sortItem, len(items))}
		n := 0
		for i := range items {
			to := len(items[i])
			if p < k {
				pivot := items[longest][len(items[longest])*p/k]
				to = sort.Search(len(items[i]), func(x int) bool {
					return compareItems(runs[i], items[i][x], runs[longest], pivot) >= 0
				})
			}
			part.items[i] = items[i][from[i]:to]
			n += to - from[i]
			from[i] = to
		}
		part.out, out = out[:n], out[n:]
		if n > 0 {
			parts = append(parts, part)
		}
	}
	return parts
}

func (p *mergePart) merge() {
	var live []int
	for i := range p.items {
		if len(p.items[i]) > 0 {
			live = append(live, i)
		}
	}
	// A heap of the runs, by their next items.
	less := func(a, b int) bool {
		return compareItems(p.runs[a], p.items[a][0], p.runs[b], p.items[b][0]) < 0
	}
	for i := len(live)/2 - 1; i >= 0; i-- {
		siftDown(live, i, less)
	}
	for k := range p.out {
		i := live[0]
		p.out[k] = p.bases[i] + p.items[i][0].row
		if p.items[i] = p.items[i][1:]; len(p.items[i]) == 0 {
			live[0] = live[len(live)-1]
			live = live[:len(live)-1]
		}
		siftDown(live, 0, less)
	}
}

// siftDown restores a heap whose element i may be too large.
func siftDown(h []int, i int, less func(a, b int) bool) {
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && less(h[c+1], h[c]) {
			c++
		}
		if !less(h[c], h[i]) {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}
