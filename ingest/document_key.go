package ingest

import "github.com/telemdb/telemdb/storage/types"

// DocumentKey implements storage.DocumentKeyer.
func (d *decoder) DocumentKey(table types.TableName, documentID string) []byte {
	return appendKey(nil, table, documentID)
}
