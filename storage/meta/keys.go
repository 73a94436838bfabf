package meta

import (
	"encoding/binary"
	"strings"

	"github.com/telemdb/telemdb/storage/types"
)

// The key space. FORMAT.md draws it; the first byte is never reused for anything else.
const (
	prefixFormat   = 'f' // format version
	prefixNext     = 'n' // counters of ids given out
	prefixSchema   = 'a' // schemas by name
	prefixTable    = 't' // tables by id
	prefixView     = 'v' // views by name
	prefixSegment  = 's' // manifest: segments by table
	prefixObsolete = 'o' // segment files no manifest entry names any more, and that may still be there
	prefixBuilding = 'u' // segment ids that were being written when a batch was made
	prefixMark     = 'm' // marks of the log
	prefixBalance  = 'b' // counters of submissions by route
	prefixDedup    = 'd' // document keys
	prefixDead     = 'x' // tombstones: the deleted rows of segments
	prefixReplay   = 'r' // how far replays have come
	prefixDamage   = 'g' // what has been found broken
)

const nameSep = "\x00"

func nameKey(prefix byte, n types.TableName) []byte {
	return append([]byte{prefix}, n.Schema+nameSep+n.Name...)
}

func parseName(b []byte) types.TableName {
	schema, name, _ := strings.Cut(string(b), nameSep)
	return types.TableName{Schema: schema, Name: name}
}

func tableKey(id uint32) []byte { return binary.BigEndian.AppendUint32([]byte{prefixTable}, id) }

func segmentKey(table uint32, id uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32([]byte{prefixSegment}, table), id)
}

func tombstoneKey(table uint32, segment uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32([]byte{prefixDead}, table), segment)
}

func obsoleteKey(id uint64) []byte { return binary.BigEndian.AppendUint64([]byte{prefixObsolete}, id) }

func damageKey(id uint64) []byte { return binary.BigEndian.AppendUint64([]byte{prefixDamage}, id) }

func dedupKey(key []byte) []byte { return append([]byte{prefixDedup}, key...) }

// upperBound is the first key behind all keys that begin with prefix.
func upperBound(prefix byte) []byte { return []byte{prefix + 1} }

var (
	formatKey      = []byte{prefixFormat}
	buildingKey    = []byte{prefixBuilding}
	nextTableKey   = []byte{prefixNext, 't'}
	nextSegmentKey = []byte{prefixNext, 's'}
	logSyncedKey   = []byte{prefixNext, 'l'}
	logMarkKey     = []byte{prefixMark}
)
