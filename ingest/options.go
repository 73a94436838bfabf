package ingest

import (
	"time"

	"github.com/telemdb/telemdb/ingest/shred"
)

// DecodeOptions are the settings of the decoder. Zero fields take their defaults. The tags name the settings.
type DecodeOptions struct {
	MaxInflatedBytes    int `setting:"decode.max_inflated_bytes"`      // 8 MiB; a larger document is an error row
	MaxJSONDepth        int `setting:"decode.max_json_depth"`          // 64
	MaxTokens           int `setting:"decode.max_tokens"`              // 1,000,000 keys and values
	MaxKeyBytes         int `setting:"decode.max_key_bytes"`           // 16 KiB
	MaxHistograms       int `setting:"decode.max_histograms_per_ping"` // 20,000; more stay plain jsonb
	MaxPathsPerTable    int `setting:"schema.max_paths_per_table"`     // 50,000; objects with more become one value
	MaxPathsInAllTables int `setting:"schema.max_paths"`               // 500,000
}

func (o DecodeOptions) inflatedMax() int { return orDefault(o.MaxInflatedBytes, 8<<20) }

func (o DecodeOptions) rules() *shred.Rules {
	def := shred.DocumentLimits
	return &shred.Rules{
		Stops: shred.PingRules,
		Watch: watches[:],
		Rest:  restColumn,
		Limits: shred.Limits{
			Depth:    orDefault(o.MaxJSONDepth, def.Depth),
			Tokens:   orDefault(o.MaxTokens, def.Tokens),
			KeyBytes: orDefault(o.MaxKeyBytes, def.KeyBytes),
		},
		PathsPerTable: o.MaxPathsPerTable,
		PathsInAll:    o.MaxPathsInAllTables,
		Histograms:    o.MaxHistograms,
	}
}

func orDefault[T int | int64 | time.Duration](n, def T) T {
	if n <= 0 {
		return def
	}
	return n
}
