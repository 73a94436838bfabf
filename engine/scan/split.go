package scan

import "github.com/telemdb/telemdb/storage/vec"

// BatchRows has the scan emit batches of at most n rows; 0 is what is best. Numbers below 64, or that are no power of two, are
// for tests: each batch is then copied in pieces, and Select is not offered. It is called before the first worker.
func (s *Scan) BatchRows(n int) { s.batchRows = n }

// batchMost returns the most rows of a batch that is read.
func (s *Scan) batchMost() int {
	if n := s.batchRows; n >= 64 && n&(n-1) == 0 {
		return min(n, vec.BatchRows)
	}
	return vec.BatchRows
}

// splits reports whether batches are cut after they have been read.
func (s *Scan) splits() bool {
	return s.batchRows > 0 && (s.batchRows < 64 || s.batchRows&(s.batchRows-1) != 0)
}

// split hands a batch on in pieces of n rows.
func split(n int, emit Emit) Emit {
	var out vec.Batch
	return func(b *vec.Batch, sel vec.Bitmap) error {
		for len(out.Cols) < len(b.Cols) {
			out.Cols = append(out.Cols, &vec.Vector{})
		}
		for from := 0; from < b.N; from += n {
			to := min(from+n, b.N)
			part := vec.MakeBitmap(to - from)
			for i := range to - from {
				part.SetTo(i, sel == nil || sel.Get(from+i))
			}
			alive := part.Count()
			if alive == 0 {
				continue
			}
			for c, v := range b.Cols {
				out.Cols[c].Reset(v.Type)
				out.Cols[c].AppendRange(v, from, to)
			}
			if out.N = to - from; alive == out.N {
				part = nil
			}
			if err := emit(&out, part); err != nil {
				return err
			}
		}
		return nil
	}
}
