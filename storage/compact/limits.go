package compact

// Limits bound what a merge holds in memory.
type Limits struct {
	Inputs     int   // segments
	GroupBytes int64 // values of a row group of the output; 0: GroupBytes
	CacheBytes int64 // for what is read, at most
	GroupRows  int   // rows of a row group of the output; 0: GroupRows
}

const (
	inputsMin, inputsMax = 2, 32
	inputBytes           = 16 << 20 // share of the memory that buys one more input: directory, keys, lists of columns
)

// MemoryMin is the least memory a merge can be planned for.
const MemoryMin = 32 << 20

// LimitsOf plans a merge so that it holds about memory bytes at most. In the worst case all values of a row group are
// of one column, which is there three times: as gathered, in order, and encoded; what is read, what is kept of each
// input, and garbage come beside it. A column chunk of an input is read as a whole however large it is.
func LimitsOf(memory int64) Limits {
	return Limits{
		Inputs:     int(min(max(memory/inputBytes, inputsMin), inputsMax)),
		GroupBytes: min(memory/8, GroupBytes),
		CacheBytes: memory / 4,
	}
}

// cacheSpare is room for what is read beside the row groups that are open.
const cacheSpare = 4 << 20

// Cache returns the bytes of cache for inputs whose open row groups, one of each, take so many bytes as stored. All row
// groups of the output that an input's group reaches into read its chunks: where they do not fit they are read again.
func (l Limits) Cache(groups int64) int64 { return min(groups+groups/4+cacheSpare, l.CacheBytes) }
