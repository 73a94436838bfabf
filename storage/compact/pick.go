package compact

// File is what a choice of merges knows of a segment, or of a run of segments, which stay together.
type File struct {
	ID       uint64
	Bytes    int64 // of its values
	From, To int64 // unix seconds of the first and last seal it holds
	Segments int   // of a run; 0 and 1: one segment
	// Settled: the rows of a long insert or a CLUSTER, many and sorted. While the hour lasts they are left as they are: a load
	// had better have the cores, and what is merged then is merged again.
	Settled bool
}

func (f *File) inputs() int { return max(1, f.Segments) }

// Choice bounds what is picked.
type Choice struct {
	Now      int64 // unix seconds
	Dated    bool  // the partition is of one day
	Closed   bool  // that day is over
	BytesMax int64 // values of all inputs together
	InputMax int
}

// Range is the files [From, To) to merge next; none if it is empty. Tier is 0 for the shortest window; what makes the
// latest minutes cheap to read goes first.
type Range struct{ From, To, Tier int }

// Empty tells that nothing is worth a merge.
func (r Range) Empty() bool { return r.From >= r.To }

// window is a tier of merging: files whose seals lie in one window of that many seconds become one when it has passed.
type window struct {
	seconds int64
	open    bool // also for a dated partition whose day is not over
}

// The windows; open ones are the short ones. While its day lasts, a partition has a file for each hour that has passed, one for each five minutes of
// the last hour, and the seals of the last five minutes: "the last ten minutes" reads little. When the day is over it
// becomes one file. What comes for it later gathers in files by the time it came, until that is worth rewriting the
// large one. A table without dates goes on by days and months.
var windows = [...]window{{5 * 60, true}, {60 * 60, true}, {24 * 60 * 60, false}, {30 * 24 * 60 * 60, false}}

const (
	openWindowFiles = 8
	restRatio       = 4
)

// Pick returns the files to merge next. files are the segments of one partition in the order of their LSNs: only
// neighbours are merged, so that the ranges of a partition's segments stay disjoint. The segments of a run have one range
// together: they are one of files, and are merged all or none.
//
// A range is worth it only if its largest file is not much larger than the others together, so that every byte is
// rewritten a few times at most: while its window runs no larger at all, afterwards at most restRatio times. The answer
// changes with the files, and when Now passes a multiple of StepSeconds.
func Pick(files []File, c Choice) Range {
	for i, w := range windows {
		if c.Dated && !c.Closed && !w.open {
			continue
		}
		if a, b := pickIn(files, c, w.seconds, i == 0, w.open); a < b {
			return Range{a, b, i}
		}
	}
	if c.Closed {
		if a, b := worth(files, 0, len(files), 2, restRatio, c); a < b {
			return Range{a, b, len(windows)}
		}
	}
	return Range{}
}

// StepSeconds divides every moment at which Pick's answer may change without a change of the files.
const StepSeconds = 5 * 60

// pickIn looks at the runs of files that lie in one window of w seconds. short windows leave alone what is settled.
func pickIn(files []File, c Choice, w int64, first, short bool) (from, to int) {
	for i := 0; i < len(files); {
		at := files[i].From / w
		j := i
		for j < len(files) && files[j].From/w == at && files[j].To/w == at && !(short && files[j].Settled) {
			j++
		}
		need, ratio := 2, int64(restRatio)
		if open := (at+1)*w > c.Now; open && first {
			need, ratio = min(openWindowFiles, c.InputMax), 1
		} else if open {
			need = len(files) + 1
		}
		if a, b := worth(files, i, j, need, ratio, c); a < b {
			return a, b
		}
		i = max(j, i+1)
	}
	return 0, 0
}

// worth returns all of [i, j) if one merge can take them, else the cheapest range of them.
func worth(files []File, i, j, need int, ratio int64, c Choice) (from, to int) {
	if j-i >= need && j-i <= c.InputMax {
		var sum, largest int64
		inputs := 0
		for _, f := range files[i:j] {
			sum += f.Bytes
			largest = max(largest, f.Bytes)
			inputs += f.inputs()
		}
		if inputs <= c.InputMax && sum <= c.BytesMax && largest <= ratio*(sum-largest) {
			return i, j
		}
	}
	return cheapest(files, i, j, need, ratio, c)
}

// cheapest returns the range within [i, j) of at least need files that removes a file for the fewest bytes. The largest
// of them is at most ratio times the others together.
func cheapest(files []File, i, j, need int, ratio int64, c Choice) (from, to int) {
	best := -1.0
	for a := i; a+need <= j; a++ {
		var sum, largest int64
		inputs := 0
		for b := a; b < j; b++ {
			sum += files[b].Bytes
			largest = max(largest, files[b].Bytes)
			inputs += files[b].inputs()
			n := int64(b - a + 1)
			if sum > c.BytesMax || inputs > c.InputMax {
				break
			}
			if n < int64(need) || largest > ratio*(sum-largest) {
				continue
			}
			if cost := float64(sum) / float64(n-1); best < 0 || cost <= best {
				best, from, to = cost, a, b+1
			}
		}
	}
	return from, to
}
