package compact

// Limits bound what a merge holds in memory.
type Limits struct {
	Inputs     int   // segments
	GroupBytes int64 // values of a row group of the output; 0: GroupBytes
	CacheBytes int64 // for what is read
}

const (
	inputsMin, inputsMax = 2, 32
	inputBytes           = 16 << 20 // share of the memory that buys one more input: directory, keys, lists of columns
	cacheMin, cacheMax   = 1 << 20, 32 << 20
)

// MemoryMin is the least memory a merge can be planned for.
const MemoryMin = 32 << 20

// LimitsOf plans a merge so that it holds about memory bytes at most. In the worst case all values of a row group are
// of one column, which is there three times: as gathered, in order, and encoded; what is read and what is kept of each
// input come beside it.
func LimitsOf(memory int64) Limits {
	return Limits{
		Inputs:     int(min(max(memory/inputBytes, inputsMin), inputsMax)),
		GroupBytes: min(memory/4, GroupBytes),
		CacheBytes: min(max(memory/8, cacheMin), cacheMax),
	}
}
