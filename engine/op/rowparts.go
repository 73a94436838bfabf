package op

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/keys"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/spill"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// rowParts is rows on disk, scattered over files by the hash of their keys: rows of one key are in one file, in the order in
// which they came. DISTINCT and the set operations go on with it when they may not hold more keys.
type rowParts struct {
	x      *exec
	node   plan.Node
	files  []*spill.File // nil: no row yet
	hasher *keys.Hasher
	shift  uint
	hashes []uint64
	pos    [][]uint16
	skip   []bool // partitions whose rows nobody wants; nil: none
	mem    account
}

// newRowParts returns empty files for rows with keys of types ts, chosen by the hash bits below the first used ones.
func newRowParts(x *exec, operator string, n plan.Node, ts []types.Type, used uint) *rowParts {
	r := &rowParts{x: x, node: n, hasher: keys.NewHasher(ts), shift: 64 - used - rawBits, mem: x.account(operator, n)}
	r.mem.soft = true
	r.files = make([]*spill.File, 1<<rawBits)
	r.pos = make([][]uint16, 1<<rawBits)
	return r
}

// add writes the rows of sel: all cols. keyCols are the keys, of the same rows.
func (r *rowParts) add(cols, keyCols []*vec.Vector, sel vec.Bitmap, n int) error {
	if n == 0 {
		return nil
	}
	if cap(r.hashes) < n {
		r.hashes = make([]uint64, n)
	}
	hashes := r.hashes[:n]
	if r.x.env.HashEqual {
		clear(hashes)
	} else {
		r.hasher.Hash(keyCols, sel, n, hashes)
	}
	for p := range r.pos {
		r.pos[p] = r.pos[p][:0]
	}
	eachRow(sel, n, func(i int) {
		p := hashes[i] >> r.shift & (1<<rawBits - 1)
		r.pos[p] = append(r.pos[p], uint16(i))
	})
	for p, no := range r.skip {
		if no {
			r.pos[p] = r.pos[p][:0]
		}
	}
	held := int64(0)
	for p, f := range r.files {
		if len(r.pos[p]) > 0 {
			if f == nil {
				var err error
				if f, err = r.x.spaceOf(r.node).Create(); err != nil {
					return err
				}
				r.files[p] = f
			}
			if err := writeRows(f, &vec.Batch{N: n, Cols: cols, Sel: r.pos[p]}); err != nil {
				return err
			}
		}
		if f != nil {
			held += f.Bytes()
		}
	}
	return r.mem.to(held)
}

// writeRows writes the rows of b.Sel, a few at a time where their texts are long: a file puts rows together as flat ones.
func writeRows(f *spill.File, b *vec.Batch) error {
	most := 0
	for _, v := range b.Cols {
		switch {
		case v.Type.Phys() != types.PhysBytes:
		case v.Form == vec.Flat:
			most += len(v.Data)
		case v.Form == vec.Const:
			most += textLength(v, 0) * len(b.Sel)
		default:
			most += len(v.Dict.Data) * len(b.Sel)
		}
	}
	if most <= pairBytes {
		return f.Write(b)
	}
	part, bytes := *b, 0
	for from, k := 0, 0; k < len(b.Sel); k++ {
		if bytes += rowBytes(b.Cols, int(b.Sel[k])); bytes >= pairBytes || k == len(b.Sel)-1 {
			part.Sel = b.Sel[from : k+1]
			if err := f.Write(&part); err != nil {
				return err
			}
			from, bytes = k+1, 0
		}
	}
	return nil
}

// take gives the rows of file p, which is the reader's from then on; nil if there are none.
func (r *rowParts) take(p int, ctx *expr.Ctx) (*spilledRows, error) {
	f := r.files[p]
	if f == nil {
		return nil, nil
	}
	in, err := f.Reader()
	if err != nil {
		return nil, err
	}
	r.files[p] = nil
	return &spilledRows{file: f, in: in, ctx: ctx}, nil
}

// settle is called behind the last row: see settleFiles.
func (r *rowParts) settle() error { return settleFiles(&r.mem, r.files) }

func (r *rowParts) close() {
	for p, f := range r.files {
		if f != nil {
			_ = f.Close() // what cannot be removed goes with its directory
			r.files[p] = nil
		}
	}
	r.mem.free()
}

// spilledRows reads a file and removes it.
type spilledRows struct {
	file *spill.File
	in   *spill.Reader
	ctx  *expr.Ctx
}

func (s *spilledRows) Next() (*vec.Batch, error) {
	if err := expr.Canceled(s.ctx); err != nil {
		return nil, err
	}
	return s.in.Next()
}

func (s *spilledRows) Close() { _ = s.file.Close() } // as in rowParts.close

// noRows is an empty input.
type noRows struct{}

func (noRows) Next() (*vec.Batch, error) { return nil, nil }
func (noRows) Close()                    {}

// keysTight reports whether an operator with so many keys, which hold so many bytes, should hold no more. Partitions of
// partitions are divided again at most maxDepth times: rows of one key cannot be.
func (x *exec) keysTight(keys int, held int64, depth int) bool {
	if x.spill == nil || depth >= maxDepth {
		return false
	}
	if x.env.ForceSpill {
		return depth < 2 && keys >= 64
	}
	return held > 1<<20 && x.mem.above(1, 2)
}
