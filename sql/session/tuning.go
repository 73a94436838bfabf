package session

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/engine/op"
	"github.com/telemdb/telemdb/engine/scan"
)

// tune applies the settings that change how a plan runs and not what it answers.
func (c *conn) tune(env *op.Env) {
	if n, err := strconv.Atoi(c.set.value("telemdb.workers")); err == nil && n > 0 {
		env.Workers = n
	}
	if n, err := byteCount(c.set.value("query_memory")); err == nil && n > 0 && (env.Memory <= 0 || n < env.Memory) {
		env.Memory = n
	}
	if n, err := strconv.Atoi(c.set.value("telemdb.batch_rows")); err == nil {
		env.BatchRows = n
	}
	if n, err := strconv.Atoi(c.set.value("telemdb.text_pieces")); err == nil {
		env.TextPieces = n
	}
	if n, err := strconv.Atoi(c.set.value("telemdb.many_groups")); err == nil {
		env.ManyGroups = n
	}
	if n, err := strconv.Atoi(c.set.value("telemdb.worker_rows")); err == nil {
		env.WorkerRows = n
	}
	if n, err := strconv.Atoi(c.set.value("telemdb.soon_groups")); err == nil {
		env.SoonGroups = n
	}
	if n, err := strconv.Atoi(c.set.value("telemdb.row_keys")); err == nil {
		env.RowKeys = n
	}
	if n, err := strconv.Atoi(c.set.value("telemdb.join_bytes")); err == nil {
		env.PairBytes = n
	}
	env.HashEqual = c.set.value("telemdb.hash_equal") == "on"
	env.ForceSpill = c.set.value("telemdb.force_spill") == "on"
	env.NoJoinFilter = c.set.value("telemdb.join_filter") == "off"
	env.NoClusters = c.set.value("telemdb.window_clusters") == "off"
	env.NoJoinKeys = c.set.value("telemdb.join_keys") == "off"
	env.NoJoinUnique = c.set.value("telemdb.join_unique") == "off"
	env.NoTopPush = c.set.value("telemdb.topn_pushdown") == "off"
	env.NoCaseCodes = c.set.value("telemdb.case_codes") == "off"
	env.NoRuns = c.set.value("telemdb.runs") == "off"
	env.NoScatter = c.set.value("telemdb.scatter") == "off"
	env.NoScatterTexts = c.set.value("telemdb.scatter_texts") == "off"
	env.NoApart = c.set.value("telemdb.agg_apart") == "off"
	env.NoScatterRows = c.set.value("telemdb.scatter_rows") == "off"
	env.Scan = scan.Without{
		Ahead:   c.set.value("telemdb.scan_ahead") == "off",
		Both:    c.set.value("telemdb.scan_both") == "off",
		Groups:  c.set.value("telemdb.scan_groups") == "off",
		Lookup:  c.set.value("telemdb.scan_lookup") == "off",
		Pruning: c.set.value("telemdb.scan_prune") == "off",

		TopFirst: c.set.value("telemdb.topn_first") == "off",
	}
	env.NoFused = c.set.value("telemdb.fused") == "off"
}

// queryMemoryMin is the least query_memory a session may ask for: operators need room for a batch and a block of a file.
const queryMemoryMin = 1 << 20

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}, {"B", 1}}

// byteCount parses a size as PostgreSQL writes it: 256MB; a bare number is bytes.
func byteCount(v string) (int64, error) {
	s, unit := strings.TrimSpace(v), int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			s, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, hintText("Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".")
	}
	return n * unit, nil
}

// checkQueryMemory prints the size in the largest unit that divides it.
func checkQueryMemory(v string) (string, error) {
	n, err := byteCount(v)
	if err != nil {
		return "", err
	}
	if n > 0 && n < queryMemoryMin {
		return "", hintText(fmt.Sprintf("The least is %d bytes; 0 is what the server was started with.", queryMemoryMin))
	}
	for _, u := range sizeUnits {
		if n > 0 && n%u.bytes == 0 && u.bytes > 1 {
			return fmt.Sprintf("%d%s", n/u.bytes, u.name), nil
		}
	}
	return strconv.FormatInt(n, 10), nil
}
