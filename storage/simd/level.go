package simd

import (
	"fmt"
	"os"
	"sync/atomic"
)

// Level says which instructions the kernels use.
type Level int32

const (
	Off    Level = iota // the Go twins
	AVX2                // AVX2, BMI1, BMI2, POPCNT
	AVX512              // AVX-512 F, BW, DQ, VL, VBMI, VBMI2, VPOPCNTDQ besides
)

func (l Level) String() string {
	switch l {
	case AVX2:
		return "avx2"
	case AVX512:
		return "avx512"
	}
	return "off"
}

// ParseLevel reads the name of a level.
func ParseLevel(name string) (Level, error) {
	for l := Off; l <= AVX512; l++ {
		if l.String() == name {
			return l, nil
		}
	}
	return Off, fmt.Errorf("simd: no level %q; there are off, avx2 and avx512", name)
}

// level is atomic because tests change it while others run; on amd64 its load is a plain one.
var level atomic.Int32

// Environment is the variable that names the highest level a process shall use, read when it starts.
const Environment = "TELEMDB_SIMD"

func init() {
	l := Best()
	if named, err := ParseLevel(os.Getenv(Environment)); err == nil {
		l = min(l, named)
	}
	level.Store(int32(l))
}

// Active returns the level in use.
func Active() Level { return Level(level.Load()) }

// Use sets the level for the whole process and returns the one that was in use. A level above what the machine has
// becomes the machine's best. Calls under way finish as they began; the answers are the same.
func Use(l Level) (before Level) {
	return Level(level.Swap(int32(max(Off, min(l, Best())))))
}
