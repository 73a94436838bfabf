package telemdb

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The bounds of the interval in Options.Durability.
const (
	syncIntervalMin = time.Millisecond
	syncIntervalMax = time.Minute
)

func (o *Options) durability() string {
	if o.Durability == "" {
		return "sync"
	}
	return o.Durability
}

// syncEvery reads Options.Durability as storage.Options.WALSyncEvery.
func (o *Options) syncEvery() (time.Duration, error) {
	switch d := o.durability(); d {
	case "sync":
		return 0, nil
	case "none":
		return -1, nil
	default:
		digits, ok := strings.CutPrefix(d, "interval:")
		ms, err := strconv.ParseInt(digits, 10, 32)
		if every := time.Duration(ms) * time.Millisecond; ok && err == nil && every >= syncIntervalMin && every <= syncIntervalMax {
			return every, nil
		}
		return 0, fmt.Errorf("wal.durability is %q: it is sync, none, or interval:<ms> with %d to %d ms", d,
			syncIntervalMin.Milliseconds(), syncIntervalMax.Milliseconds())
	}
}
