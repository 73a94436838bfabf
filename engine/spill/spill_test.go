package spill

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
	"github.com/telemdb/telemdb/storage/vfs"
)

var colTypes = []types.Type{types.Of(types.Int64), types.Of(types.Float64), types.Of(types.Text), types.Of(types.Bool)}

// randomBatch has columns of all physical classes in random forms.
func randomBatch(rng *rand.Rand, n int) *vec.Batch {
	b := &vec.Batch{N: n}
	for _, t := range colTypes {
		b.Cols = append(b.Cols, randomVector(rng, t, n))
	}
	if rng.IntN(3) == 0 {
		b.Sel = []uint16{}
		for i := range n {
			if rng.IntN(2) == 0 {
				b.Sel = append(b.Sel, uint16(i))
			}
		}
	}
	return b
}

func randomVector(rng *rand.Rand, t types.Type, n int) *vec.Vector {
	v := &vec.Vector{}
	switch rng.IntN(4) {
	case 0:
		v.SetConst(flat(rng, t, 1, rng.IntN(2) == 0), 0, n)
	case 1:
		d := flat(rng, t, 1+rng.IntN(9), false)
		v.Reset(t)
		v.Form, v.N, v.Dict = vec.Dict, n, d
		if rng.IntN(2) == 0 {
			v.Valid = vec.MakeBitmap(n)
		}
		for i := range n {
			code := uint32(rng.IntN(d.N))
			if v.Valid != nil {
				if v.Valid.SetTo(i, rng.IntN(4) != 0); v.Null(i) {
					code = 0
				}
			}
			v.Codes = append(v.Codes, code)
		}
	default:
		return flat(rng, t, n, rng.IntN(2) == 0)
	}
	return v
}

func flat(rng *rand.Rand, t types.Type, n int, nulls bool) *vec.Vector {
	v := &vec.Vector{}
	v.Reset(t)
	for range n {
		switch {
		case nulls && rng.IntN(3) == 0:
			v.AppendNull()
		case t.Kind == types.Int64:
			v.AppendInt(int64(rng.Uint64()))
		case t.Kind == types.Float64:
			v.AppendFloat([]float64{math.NaN(), math.Copysign(0, -1), rng.Float64(), math.Inf(1)}[rng.IntN(4)])
		case t.Kind == types.Text:
			v.AppendString(fmt.Sprint(rng.Uint64() >> rng.IntN(64)))
		default:
			v.AppendBool(rng.IntN(2) == 0)
		}
	}
	return v
}

// lines renders the live rows.
func lines(b *vec.Batch) (out []string) {
	b = &vec.Batch{N: b.N, Cols: append([]*vec.Vector(nil), b.Cols...), Sel: b.Sel}
	rows := b.Sel
	if rows == nil {
		for i := range b.N {
			rows = append(rows, uint16(i))
		}
	}
	for _, i := range rows {
		s := ""
		for _, v := range b.Cols {
			switch {
			case v.Null(int(i)):
				s += "NULL "
			case v.Type.Kind == types.Int64:
				s += fmt.Sprint(v.Int(int(i)), " ")
			case v.Type.Kind == types.Float64:
				s += fmt.Sprintf("%x ", math.Float64bits(v.Float(int(i))))
			case v.Type.Kind == types.Text:
				s += fmt.Sprintf("%q ", v.Bytes(int(i)))
			default:
				s += fmt.Sprint(v.Bool(int(i)), " ")
			}
		}
		out = append(out, s)
	}
	return out
}

func readAll(t *testing.T, f *File) (out []string) {
	t.Helper()
	r, err := f.Reader()
	if err != nil {
		t.Fatal(err)
	}
	for {
		b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return out
		}
		out = append(out, lines(b)...)
	}
}

func TestAFileGivesBackTheRowsInTheirOrder(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		fs := vfs.NewMem()
		s := New(fs, "/spill", 0)
		var files []*File
		var want [][]string
		for range 3 {
			f, err := s.Create()
			if err != nil {
				t.Fatal(err)
			}
			var rows []string
			for range rng.IntN(30) {
				b := randomBatch(rng, 1+rng.IntN(1500))
				rows = append(rows, lines(b)...)
				if err := f.Write(b); err != nil {
					t.Fatal(err)
				}
			}
			if rng.IntN(2) == 0 {
				if err := f.Settle(); err != nil || f.Bytes() > 0 {
					t.Fatalf("settle: %v, the file still holds %d bytes", err, f.Bytes())
				}
			}
			files, want = append(files, f), append(want, rows)
		}
		for i, f := range files {
			for range 2 { // every reader begins at the first row
				got := readAll(t, f)
				if len(got) != len(want[i]) || int64(len(got)) != f.Rows() {
					t.Fatalf("seed %d: %d rows, wrote %d", seed, len(got), len(want[i]))
				}
				for k := range got {
					if got[k] != want[i][k] {
						t.Fatalf("seed %d row %d: %s, wrote %s", seed, k, got[k], want[i][k])
					}
				}
			}
		}
		for _, f := range files {
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if names, _ := fs.List("/spill"); len(names) > 0 || s.Used() != 0 || s.Files() != 0 {
			t.Fatalf("seed %d: after Close there are %v, %d bytes", seed, names, s.Used())
		}
		if s.Peak() > s.Written() {
			t.Fatalf("peak %d of %d written", s.Peak(), s.Written())
		}
	}
}

// What a file's rows take in memory is told the same whatever batches they came in.
func TestPlainBytesDoNotDependOnTheBatches(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	s := New(vfs.NewMem(), "/spill", 0)
	for range 20 {
		b := randomBatch(rng, 1+rng.IntN(1500))
		whole, _ := s.Create()
		few, _ := s.Create()
		want := int64(0)
		rows := b.Sel
		if rows == nil {
			for i := range b.N {
				rows = append(rows, uint16(i))
			}
		}
		for from := 0; from < len(rows); {
			to := min(len(rows), from+1+rng.IntN(400))
			if err := few.Write(&vec.Batch{N: b.N, Cols: b.Cols, Sel: rows[from:to]}); err != nil {
				t.Fatal(err)
			}
			from = to
		}
		for _, i := range rows {
			want += 8 + 8 + 4 + 1
			if !b.Cols[2].Null(int(i)) {
				want += int64(len(b.Cols[2].Bytes(int(i))))
			}
		}
		if err := whole.Write(b); err != nil {
			t.Fatal(err)
		}
		if whole.Plain() != want || few.Plain() != want {
			t.Fatalf("%d and %d bytes, want %d", whole.Plain(), few.Plain(), want)
		}
		_, _ = whole.Close(), few.Close()
	}
}

// big is a batch that s2 cannot compress.
func big(rng *rand.Rand) *vec.Batch {
	v := &vec.Vector{}
	v.Reset(types.Of(types.Int64))
	for range 1024 {
		v.AppendInt(int64(rng.Uint64()))
	}
	return &vec.Batch{N: v.N, Cols: []*vec.Vector{v}}
}

func fillUntil(t *testing.T, f *File, tries int) error {
	t.Helper()
	rng := rand.New(rand.NewPCG(7, 7))
	for range tries {
		if err := f.Write(big(rng)); err != nil {
			return err
		}
	}
	return nil
}

func TestFullSpacesAndDisksAreError53100(t *testing.T) {
	t.Run("limit", func(t *testing.T) {
		s := New(vfs.NewMem(), "/spill", 1<<20)
		f, _ := s.Create()
		if err := fillUntil(t, f, 1000); sqlstate.Code(err) != sqlstate.DiskFull {
			t.Fatalf("error %v", err)
		}
		if s.Used() > 1<<20 {
			t.Fatalf("%d bytes used", s.Used())
		}
		if _, err := f.Reader(); sqlstate.Code(err) != sqlstate.DiskFull {
			t.Fatalf("a file that lost rows can be read: %v", err)
		}
		if err := f.Close(); err != nil || s.Used() != 0 {
			t.Fatalf("close: %v, %d bytes used", err, s.Used())
		}
	})
	t.Run("limit of a share", func(t *testing.T) {
		s := New(vfs.NewMem(), "/spill", 8<<20)
		a := s.Share(1 << 20)
		f, _ := a.Create()
		if err := fillUntil(t, f, 1000); sqlstate.Code(err) != sqlstate.DiskFull {
			t.Fatalf("error %v", err)
		}
		if s.Used() != a.Used() || s.Used() == 0 {
			t.Fatalf("%d bytes used, %d by the share", s.Used(), a.Used())
		}
		_ = f.Close()
		if s.Used() != 0 || a.Used() != 0 || a.Peak() == 0 {
			t.Fatalf("after close %d and %d", s.Used(), a.Used())
		}
	})
	t.Run("reserve", func(t *testing.T) {
		s := New(vfs.NewMem(), "/spill", 0)
		s.SetReserve(func() bool { return s.Used() > 1<<20 })
		f, _ := s.Create()
		if err := fillUntil(t, f, 1000); sqlstate.Code(err) != sqlstate.DiskFull {
			t.Fatalf("error %v", err)
		}
	})
	for _, op := range []vfs.Op{vfs.OpCreate, vfs.OpMkdirAll, vfs.OpWrite} {
		t.Run("disk at "+op.String(), func(t *testing.T) {
			inner := vfs.NewMem()
			in := vfs.NewInjector(vfs.Rule{Ops: vfs.Ops(op), Err: vfs.ErrNoSpace, Partial: true})
			s := New(vfs.Fault(inner, in), "/spill", 0)
			f, _ := s.Create()
			if err := fillUntil(t, f, 1000); sqlstate.Code(err) != sqlstate.DiskFull || !errors.Is(err, vfs.ErrNoSpace) {
				t.Fatalf("error %v", err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if names, _ := inner.List("/spill"); len(names) > 0 || s.Used() != 0 {
				t.Fatalf("left: %v, %d bytes", names, s.Used())
			}
		})
	}
}

func TestFaultsOfTheDiskAreErrorsAndDamageIsFound(t *testing.T) {
	broken := errors.New("broken disk")
	inner := vfs.NewMem()
	in := vfs.NewInjector(vfs.Rule{Ops: vfs.Ops(vfs.OpReadAt), Err: broken})
	s := New(vfs.Fault(inner, in), "/spill", 0)
	f, _ := s.Create()
	if err := fillUntil(t, f, 100); err != nil {
		t.Fatal(err)
	}
	r, err := f.Reader()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); sqlstate.Code(err) != sqlstate.IOError {
		t.Fatalf("error %v", err)
	}
	names, _ := inner.List("/spill")
	raw, err := inner.OpenReadWrite("/spill/" + names[0])
	if err != nil {
		t.Fatal(err)
	}
	size, _ := raw.Size()
	for _, at := range []int64{0, 5, 9, 20, 4000, size - 1} {
		var b [1]byte
		_, _ = raw.ReadAt(b[:], at)
		b[0] ^= 0x10
		_, _ = raw.WriteAt(b[:], at)
		if err := drain(f); sqlstate.Code(err) != sqlstate.DataCorrupted {
			t.Errorf("byte %d flipped: %v", at, err)
		}
		b[0] ^= 0x10
		_, _ = raw.WriteAt(b[:], at)
	}
	if err := drain(f); err != nil {
		t.Fatalf("restored: %v", err)
	}
	if err := raw.Truncate(size - 3); err != nil {
		t.Fatal(err)
	}
	if err := drain(f); sqlstate.Code(err) != sqlstate.DataCorrupted {
		t.Errorf("truncated: %v", err)
	}
	_ = raw.Close()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func drain(f *File) error {
	r, err := f.Reader()
	for err == nil {
		var b *vec.Batch
		if b, err = r.Next(); b == nil && err == nil {
			return nil
		}
	}
	return err
}

func TestWhatACrashedProcessLeftIsRemovedAndNeverRead(t *testing.T) {
	fs := vfs.NewMem()
	crashed := New(fs, "/data/spill", 0)
	f, _ := crashed.Create()
	if err := fillUntil(t, f, 100); err != nil {
		t.Fatal(err)
	}
	next := New(fs, "/data/spill", 0)
	g, _ := next.Create()
	if err := fillUntil(t, g, 100); err != nil {
		t.Fatalf("a name that is taken: %v", err)
	}
	_ = g.Close()
	if err := next.Empty(); err != nil {
		t.Fatal(err)
	}
	if names, _ := fs.List("/data/spill"); len(names) > 0 {
		t.Fatalf("left: %v", names)
	}
	if err := New(fs, "/data/never", 0).Empty(); err != nil {
		t.Fatalf("no directory to empty: %v", err)
	}
}

func BenchmarkWriteAndRead(b *testing.B) {
	s := New(vfs.NewMem(), "/spill", 0)
	rng := rand.New(rand.NewPCG(7, 7))
	in := big(rng)
	b.SetBytes(64 * 1024 * 8)
	for b.Loop() {
		f, _ := s.Create()
		for range 64 {
			if err := f.Write(in); err != nil {
				b.Fatal(err)
			}
		}
		if err := drain(f); err != nil {
			b.Fatal(err)
		}
		_ = f.Close()
	}
}
