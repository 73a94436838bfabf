package main

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/telemdb/telemdb/storage"
)

// BenchmarkMergeFlat and BenchmarkMergeMain are part "merge" in small, for profiles.
func BenchmarkMergeFlat(b *testing.B) {
	benchmarkMerge(b, func(ctx context.Context, s *storage.Store) error { return insertFlat(ctx, s, 1<<19) })
}

func BenchmarkMergeMain(b *testing.B) {
	benchmarkMerge(b, func(ctx context.Context, s *storage.Store) error { return submitMain(ctx, s, 2000, 4) })
}

func benchmarkMerge(b *testing.B, fill func(context.Context, *storage.Store) error) {
	dir := filepath.Join(b.TempDir(), "store")
	if err := fillStore(b.Context(), dir, fill); err != nil {
		b.Fatal(err)
	}
	n, bytes, cpu := 0, 0.0, 0.0
	for b.Loop() {
		run, err := mergeCopy(b.Context(), dir, fmt.Sprintf("%s-%d", dir, n), false)
		if err != nil {
			b.Fatal(err)
		}
		n++
		bytes += mb(run.bytes)
		cpu += run.cpu.Seconds()
		b.ReportMetric(float64(run.rows)/run.cpu.Seconds(), "rows/cpu-s")
	}
	b.ReportMetric(bytes/cpu, "MB/cpu-s")
	b.ReportMetric(bytes/float64(n), "MB")
}
