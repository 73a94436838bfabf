package main

import (
	"os"
	"strconv"
	"strings"
)

// machineMemory returns the bytes of memory of the machine, or 8 GiB where it does not tell.
func machineMemory() int64 {
	if kb := meminfo("MemTotal"); kb > 0 {
		return kb << 10
	}
	return 8 << 30
}

func meminfo(name string) int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok && k == name {
			n, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return n
		}
	}
	return 0
}

func kernelVersion() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
