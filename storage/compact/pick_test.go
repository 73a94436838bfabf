package compact

import (
	"fmt"
	"slices"
	"testing"
)

const day = 24 * 60 * 60

// simulation plays the seals and merges of one partition.
type simulation struct {
	files           []File
	sealed, written int64 // bytes, a merge's outputs among the written
	merges          int
}

func (s *simulation) seal(now, bytes int64) {
	s.files = append(s.files, File{ID: uint64(now), Bytes: bytes, From: now, To: now})
	s.sealed += bytes
	s.written += bytes
}

// merge does what is due at a moment.
func (s *simulation) merge(t *testing.T, c Choice) {
	t.Helper()
	for {
		r := Pick(s.files, c)
		if r.Empty() {
			return
		}
		if r.To-r.From < 2 || r.To-r.From > c.InputMax || r.To > len(s.files) {
			t.Fatalf("picked %+v of %d files", r, len(s.files))
		}
		out := File{ID: s.files[r.From].ID, From: s.files[r.From].From, To: s.files[r.From].To}
		for _, f := range s.files[r.From:r.To] {
			out.Bytes += f.Bytes
			out.From, out.To = min(out.From, f.From), max(out.To, f.To)
		}
		s.written += out.Bytes
		s.merges++
		s.files = slices.Replace(s.files, r.From, r.To, out)
	}
}

// since counts the files that hold what was sealed since a moment.
func (s *simulation) since(at int64) (n int) {
	for _, f := range s.files {
		if f.To >= at {
			n++
		}
	}
	return n
}

// TestWhatIsSettledWaitsForTheEndOfTheDay: it is between others, which are merged on either side of it.
func TestWhatIsSettledWaitsForTheEndOfTheDay(t *testing.T) {
	files := []File{{ID: 1, Bytes: 10, From: 10, To: 10}, {ID: 2, Bytes: 10, From: 20, To: 20}, {ID: 3, Bytes: 900, From: 30, To: 30, Settled: true},
		{ID: 4, Bytes: 900, From: 40, To: 40, Settled: true}, {ID: 5, Bytes: 10, From: 50, To: 50}, {ID: 6, Bytes: 10, From: 60, To: 60}}
	c := Choice{Now: 2 * 60 * 60, BytesMax: 1 << 20, InputMax: 8}
	if r := Pick(files, c); r != (Range{0, 2, 0}) {
		t.Errorf("picked %+v", r)
	}
	if r := Pick(files[2:], c); r != (Range{2, 4, 0}) {
		t.Errorf("picked %+v", r)
	}
	if r := Pick(files[2:4], c); !r.Empty() {
		t.Errorf("picked %+v", r)
	}
	c.Now = 2 * day
	if r := Pick(files[2:4], c); r != (Range{0, 2, 2}) {
		t.Errorf("picked %+v", r)
	}
}

// TestADayOfSealsIsMergedByFiveMinutesHoursAndTheDay plays a day's partition: seals at some interval, then rows that come
// late for a week.
func TestADayOfSealsIsMergedByFiveMinutesHoursAndTheDay(t *testing.T) {
	for _, c := range []struct {
		every     int64 // seconds between seals
		inputs    int
		amplified float64 // bytes written for each byte sealed, at most
	}{
		{2, 32, 7}, {10, 32, 6}, {10, 16, 6.5}, {60, 32, 5}, {600, 32, 3.5}, {10, 4, 10},
	} {
		t.Run(fmt.Sprintf("a seal every %d s, %d inputs", c.every, c.inputs), func(t *testing.T) {
			var s simulation
			choice := Choice{Dated: true, BytesMax: 1 << 40, InputMax: c.inputs}
			most, recent := 0, 0
			for at := int64(0); at < day; at += c.every {
				s.seal(at, 1000+at*7919%300)
				choice.Now = at
				s.merge(t, choice)
				most, recent = max(most, len(s.files)), max(recent, s.since(at-600))
			}
			day := s.written
			choice.Now, choice.Closed = 86400+1000, true
			s.merge(t, choice)
			amplified := float64(s.written) / float64(s.sealed)
			t.Logf("%d merges wrote %.2f bytes for each byte sealed, %.2f while the day lasted; up to %d files, %d of the last ten minutes, %d at the end",
				s.merges, amplified, float64(day)/float64(s.sealed), most, recent, len(s.files))
			if len(s.files) != 1 {
				t.Errorf("%d files when the day is over", len(s.files))
			}
			if limit := 24 + 12 + 2*openWindowFiles + c.inputs; most > limit {
				t.Errorf("up to %d files, more than %d", most, limit)
			}
			if recent > 3*openWindowFiles {
				t.Errorf("the last ten minutes were in up to %d files", recent)
			}
			if amplified > c.amplified {
				t.Errorf("%.2f bytes were written for each sealed, more than %.1f", amplified, c.amplified)
			}
		})
	}
}

func TestWhatComesLateDoesNotRewriteTheDay(t *testing.T) {
	s := simulation{files: []File{{Bytes: 1 << 30, From: 0, To: day - 1}}}
	choice := Choice{Dated: true, Closed: true, BytesMax: 1 << 40, InputMax: 32}
	for at := int64(day); at < 14*day; at += 600 {
		s.seal(at, 10_000)
		choice.Now = at
		s.merge(t, choice)
	}
	if s.files[0].Bytes < 1<<30 || s.files[0].To != day-1 {
		t.Errorf("the day's file was rewritten for %d late bytes: %+v", s.sealed, s.files[0])
	}
	if len(s.files) > 60 {
		t.Errorf("%d files", len(s.files))
	}
}

func TestPickTakesWhatIsWorthIt(t *testing.T) {
	small := func(n int, at int64) (out []File) {
		for i := range n {
			out = append(out, File{Bytes: 10, From: at + int64(i), To: at + int64(i)})
		}
		return out
	}
	open := Choice{Now: 100, Dated: true, BytesMax: 1 << 30, InputMax: 16}
	later := Choice{Now: 1000, Dated: true, BytesMax: 1 << 30, InputMax: 16}
	over := Choice{Now: 1e6, Dated: true, Closed: true, BytesMax: 1 << 30, InputMax: 16}
	for _, c := range []struct {
		name  string
		files []File
		c     Choice
		want  Range
	}{
		{"nothing of nothing", nil, over, Range{}},
		{"one file is done", small(1, 0), over, Range{}},
		{"an open window waits for more", small(openWindowFiles-1, 0), open, Range{}},
		{"an open window with many", small(openWindowFiles, 0), open, Range{0, openWindowFiles, 0}},
		{"a window that has passed", small(2, 0), later, Range{0, 2, 0}},
		{"an hour that has not passed", append(small(1, 0), small(1, 400)...), later, Range{}},
		{"an hour that has passed", append(small(1, 0), small(1, 400)...), Choice{Now: 4000, Dated: true, BytesMax: 1 << 30, InputMax: 16}, Range{0, 2, 1}},
		{"the day that lasts keeps its hours", append(small(1, 0), small(1, 4000)...), Choice{Now: 9000, Dated: true, BytesMax: 1 << 30, InputMax: 16}, Range{}},
		{"the day that is over", append(small(1, 0), small(1, 4000)...), over, Range{0, 2, 2}},
		{"files of two days", append(small(1, 0), small(1, day)...), over, Range{0, 2, 4}},
		{"a table without dates goes on by days", append(small(1, 0), small(1, 4000)...), Choice{Now: 1e6, BytesMax: 1 << 30, InputMax: 16}, Range{0, 2, 2}},
		{"a large file is not rewritten for a small one", []File{{Bytes: 1000}, {Bytes: 10}}, over, Range{}},
		{"but the small ones are", []File{{Bytes: 1000}, {Bytes: 10}, {Bytes: 12}, {Bytes: 3}}, over, Range{1, 4, 0}},
		{"at the ratio", []File{{Bytes: 40}, {Bytes: 10}}, over, Range{0, 2, 0}},
		{"above the ratio", []File{{Bytes: 41}, {Bytes: 10}}, over, Range{}},
		{"as many bytes as allowed", small(2, 0), Choice{Now: 1000, BytesMax: 20, InputMax: 16}, Range{0, 2, 0}},
		{"more bytes than allowed", small(2, 0), Choice{Now: 1000, BytesMax: 19, InputMax: 16}, Range{}},
		{"more files than allowed", small(17, 0), later, Range{1, 17, 0}},
	} {
		if got := Pick(c.files, c.c); got != c.want {
			t.Errorf("%s: picked %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestLimitsStayBelowTheMemory(t *testing.T) {
	for memory := int64(MemoryMin); memory <= 8<<30; memory += 7 << 20 {
		l := LimitsOf(memory)
		if l.Inputs < 2 || l.Inputs > 32 || l.GroupBytes > GroupBytes || l.CacheBytes < 1<<20 {
			t.Fatalf("%d bytes: %+v", memory, l)
		}
		if held := 3*l.GroupBytes + l.CacheBytes; held > memory {
			t.Fatalf("%d bytes: %+v may hold %d", memory, l, held)
		}
	}
}
