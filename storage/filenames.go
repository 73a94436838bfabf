package storage

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// The names of everything in a data directory. FORMAT.md draws the layout.
const (
	lockFile     = "LOCK"     // held by the process that has the directory open
	formatFile   = "FORMAT"   // the version of the layout, as text
	metaDir      = "meta"     // the one Pebble instance
	walDir       = "wal"      // the log
	segmentDir   = "segments" // all segment files, of all tables
	ballastFile  = "ballast"  // space that is given up when the disk is full
	segmentExt   = ".seg"
	segmentWidth = 12
)

func segmentName(id uint64) string { return fmt.Sprintf("%0*d%s", segmentWidth, id, segmentExt) }

func (s *Store) segmentPath(id uint64) string { return path.Join(s.dir, segmentDir, segmentName(id)) }

// parseSegmentName returns the id in the name of a segment file.
func parseSegmentName(name string) (id uint64, ok bool) {
	digits, found := strings.CutSuffix(name, segmentExt)
	if !found || len(digits) < segmentWidth {
		return 0, false
	}
	id, err := strconv.ParseUint(digits, 10, 64)
	return id, err == nil && segmentName(id) == name
}
