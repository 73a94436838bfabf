package keys

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func cpuNanos(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// benchKeys returns a million rows of keys, of about so many distinct values in the first column.
func benchKeys(shape string, distinct int) (ts []types.Type, batches [][]*vec.Vector) {
	rng := rand.New(rand.NewPCG(5, 6))
	switch shape {
	case "int":
		ts = []types.Type{tInt}
	case "uuid":
		ts = []types.Type{tText}
	case "uuid, day":
		ts = []types.Type{tText, tInt}
	case "int, int":
		ts = []types.Type{tInt, tInt}
	case "int, minute, text":
		ts = []types.Type{tInt, tInt, tText}
	}
	for range 1 << 20 / vec.BatchRows {
		cols := make([]*vec.Vector, len(ts))
		for c, t := range ts {
			v := &vec.Vector{}
			v.Reset(t)
			for range vec.BatchRows {
				switch x := uint64(rng.IntN(distinct)); {
				case c == 0 && t == tInt:
					v.AppendInt(int64(x * 0x9E3779B97F4A7C15))
				case c == 0:
					v.AppendString(fmt.Sprintf("%08x-%04x-4abc-8def-%012x", uint32(x*0x9E3779B9), uint16(x>>3), x*77))
				case t == tText:
					v.AppendString([]string{"", "", fmt.Sprint("phrase ", x%100_000)}[x%3])
				case shape == "uuid, day":
					v.AppendInt(20_000 + int64(x%30))
				case shape == "int, int":
					v.AppendInt(int64(x*7919) % 300_007)
				default:
					v.AppendInt(int64(x % 60))
				}
			}
			cols[c] = v
		}
		batches = append(batches, cols)
	}
	return ts, batches
}

// BenchmarkManyKeys numbers a million rows from an empty table; and then as many that are known.
func BenchmarkManyKeys(b *testing.B) {
	for _, shape := range []string{"int", "uuid", "uuid, day", "int, int", "int, minute, text"} {
		for _, distinct := range []int{30_000, 500_000} {
			ts, batches := benchKeys(shape, distinct)
			b.Run(fmt.Sprintf("%s/%d", shape, distinct), func(b *testing.B) {
				ids := make([]uint32, vec.BatchRows)
				var cold, warm int64
				for b.Loop() {
					t := New(ts)
					m := t.NewMapper()
					pass := func() int64 {
						from := cpuNanos(b)
						for _, cols := range batches {
							if _, err := m.Map(cols, nil, vec.BatchRows, ids); err != nil {
								b.Fatal(err)
							}
						}
						return cpuNanos(b) - from
					}
					cold += pass()
					warm += pass()
				}
				b.ReportMetric(float64(cold)/float64(b.N)/(1<<20), "cold-ns/row")
				b.ReportMetric(float64(warm)/float64(b.N)/(1<<20), "warm-ns/row")
			})
		}
	}
}
