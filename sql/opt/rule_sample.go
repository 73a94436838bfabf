package opt

import (
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/sql/opt/tree"
	"github.com/telemdb/telemdb/storage/types"
)

// A client's pings have one sample: the decoder, which alone writes to ping tables, gives a row a client_id and the
// sample_id made of it, or neither, and lets no member of a document take these columns. Rows are sorted by sample before
// client, so a scan for a client prunes by the sample's zone maps.
var clientsSample = &plan.Implied{From: "client_id", To: "sample_id", Of: func(id []byte) int64 { return ping.SampleID(string(id)) }}

// samples tells scans of ping tables what a client_id implies.
func samples(n plan.Node) plan.Node {
	n = tree.Children(n, func(c plan.Node, _ bool) plan.Node { return samples(c) })
	s, ok := n.(*plan.Scan)
	if !ok || s.Table.Kind != types.TablePing || len(s.Filter) == 0 || s.Implied != nil {
		return n
	}
	c := *s
	c.Implied = clientsSample
	return &c
}
