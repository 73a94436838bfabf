package storage

import (
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/storage/vfs"
)

// Where Linux tells how much memory a process may have: the container's limit in the two versions of cgroups, and the
// machine's.
const (
	cgroup2Limit = "/sys/fs/cgroup/memory.max"
	cgroup1Limit = "/sys/fs/cgroup/memory/memory.limit_in_bytes"
	machineTotal = "/proc/meminfo"
)

// unknownMemory is assumed where nobody tells.
const unknownMemory = 4 << 30

// MemoryBudget is what the program may take by default, all in all: 60 % of the container's limit, or of the machine's
// memory. Defaults of single limits are shares of it.
func MemoryBudget() int64 { return budgetOf(vfs.OS()) }

func budgetOf(fsys vfs.FS) int64 {
	limit := int64(0)
	for _, n := range []int64{cgroupLimit(fsys, cgroup2Limit), cgroupLimit(fsys, cgroup1Limit), machineMemory(fsys)} {
		if n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	if limit == 0 {
		limit = unknownMemory
	}
	return limit / 10 * 6
}

// cgroupLimit returns the number in a file, 0 if there is none: "max" is no limit.
func cgroupLimit(fsys vfs.FS, name string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(readSystem(fsys, name)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func machineMemory(fsys vfs.FS) int64 {
	for line := range strings.Lines(readSystem(fsys, machineTotal)) {
		if v, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			if err == nil {
				return kb << 10
			}
		}
	}
	return 0
}

// readSystem reads the front of a file whose size the system does not tell; "" if that cannot be done.
func readSystem(fsys vfs.FS, name string) string {
	f, err := fsys.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	buf := make([]byte, 4096)
	n, _ := f.ReadAt(buf, 0) // it is shorter than the buffer, nearly always
	return string(buf[:n])
}
