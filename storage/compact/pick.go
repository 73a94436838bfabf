package compact

// File is what a choice of merges knows of a segment.
type File struct {
	ID       uint64
	Bytes    int64 // of its values
	From, To int64 // unix seconds of the first and last seal it holds
}

// Choice bounds what is picked.
type Choice struct {
	Now      int64 // unix seconds
	Closed   bool  // the partition's day is over
	BytesMax int64 // values of all inputs together
	InputMax int
}

// The windows of time in which segments are merged while their partition is open, so that "the last ten minutes" reads
// little. A window that has passed is merged once it has two segments; the one that runs, and only the shortest, when
// it has many.
var windows = [...]int64{5 * 60, 60 * 60, 24 * 60 * 60, 30 * 24 * 60 * 60}

const (
	openWindowFiles = 8
	restRatio       = 4
)

// Pick returns the range [from, to) of files to merge next; from == to if none is worth it. files are the segments of
// one partition in the order of their LSNs: only neighbours are merged, so that the ranges of a partition's segments
// stay disjoint.
//
// A range is worth it only if its largest file is not much larger than the others together, so that every byte is
// rewritten a few times at most: while its window runs no larger at all, afterwards at most restRatio times.
func Pick(files []File, c Choice) (from, to int) {
	for i, w := range windows {
		if a, b := pickIn(files, c, w, i == 0); a < b {
			return a, b
		}
	}
	if c.Closed {
		return cheapest(files, 0, len(files), 2, restRatio, c)
	}
	return 0, 0
}

// pickIn looks at the runs of files that lie in one window of w seconds.
func pickIn(files []File, c Choice, w int64, first bool) (from, to int) {
	for i := 0; i < len(files); {
		at := files[i].From / w
		j := i
		for j < len(files) && files[j].From/w == at && files[j].To/w == at {
			j++
		}
		need, ratio := 2, int64(restRatio)
		if open := (at+1)*w > c.Now; open && first {
			need, ratio = openWindowFiles, 1
		} else if open {
			need = len(files) + 1
		}
		if a, b := cheapest(files, i, j, need, ratio, c); a < b {
			return a, b
		}
		i = max(j, i+1)
	}
	return 0, 0
}

// cheapest returns the range within [i, j) of at least need files that removes a file for the fewest bytes. The largest
// of them is at most ratio times the others together.
func cheapest(files []File, i, j, need int, ratio int64, c Choice) (from, to int) {
	var best int64 = -1
	for a := i; a+need <= j; a++ {
		var sum, largest int64
		for b := a; b < j && b-a < c.InputMax; b++ {
			sum += files[b].Bytes
			largest = max(largest, files[b].Bytes)
			n := int64(b - a + 1)
			if sum > c.BytesMax {
				break
			}
			if n < int64(need) || largest > ratio*(sum-largest) {
				continue
			}
			if cost := sum / (n - 1); best < 0 || cost <= best {
				best, from, to = cost, a, b+1
			}
		}
	}
	return from, to
}
