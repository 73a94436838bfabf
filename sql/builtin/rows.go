package builtin

import (
	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// rowFunc computes row i and appends exactly one value, perhaps NULL, to out. It is for functions whose work per row is
// well above a call; the arguments of a strict function are not NULL.
type rowFunc func(ctx *expr.Ctx, args []*vec.Vector, i int, out *vec.Vector) error

// byRow makes an Eval of a rowFunc. Rows outside sel get the zero value.
func byRow(f rowFunc) evalFunc {
	return func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		room := roomOf(ctx)
		work := 0  // bytes since the statement was last asked whether it is still wanted
		prior := 0 // bytes before the last row
		for i := range n {
			if !sel.Get(i) {
				appendZero(out)
				continue
			}
			before := len(out.Data)
			if err := makeRoom(ctx, out, before-prior); err != nil {
				return err
			}
			prior = before
			if err := f(ctx, args, i, out); err != nil {
				return err
			}
			if work += rowWork + len(out.Data) - before + textBytes(args, i); work > lookEvery {
				work = 0
				if err := canceled(ctx); err != nil {
					return err
				}
			}
			if len(out.Data) > room.bytes {
				if stop, err := room.full(out, i+1, n); stop || err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// room is how many bytes of texts a call may make: what a piece of the batch has, and what a vector can hold.
type room struct {
	bytes  int
	pieces *expr.Pieces // nil: the call may not stop
}

func roomOf(ctx *expr.Ctx) room {
	r := room{bytes: maxBatch, pieces: ctx.TakePieces()}
	if r.pieces != nil {
		r.bytes = min(r.bytes, r.pieces.Room(ctx))
	}
	return r
}

// full is asked when out, with rows up to next of n, has more than bytes. It reports whether the call stops; out is complete then.
func (r *room) full(out *vec.Vector, next, n int) (stop bool, err error) {
	if len(out.Data) > maxBatch {
		return true, errTextSize()
	}
	if next == n {
		return true, nil
	}
	r.pieces.StopBefore(next)
	for range n - next {
		appendZero(out)
	}
	return true, nil
}

// A batch of long texts takes seconds: the statement is asked for between rows, each lookEvery bytes, where a row counts
// rowWork besides its texts.
const (
	rowWork   = 256
	lookEvery = 256 << 10
)

// roomFrom is how many bytes a result has before it is moved piece by piece when it grows: append moves it in one go, which
// nothing interrupts and which stops all of the process where a garbage collection waits for it.
const roomFrom = 8 << 20

// makeRoom grows the texts of out, and where they end, where another row like the last one, of so many bytes, would not fit.
func makeRoom(ctx *expr.Ctx, out *vec.Vector, like int) (err error) {
	if len(out.Data) >= roomFrom && cap(out.Data)-len(out.Data) < 2*like {
		if out.Data, err = moved(ctx, out.Data, 2*like); err != nil {
			return err
		}
	}
	if 4*len(out.Off) >= roomFrom && cap(out.Off) == len(out.Off) {
		out.Off, err = moved(ctx, out.Off, 0)
	}
	return err
}

// moved returns s in twice the room and some more, copied piece by piece.
func moved[T any](ctx *expr.Ctx, s []T, more int) ([]T, error) {
	grown := make([]T, 0, 2*cap(s)+more)
	for from := 0; from < len(s); from += lookEvery {
		grown = append(grown, s[from:min(from+lookEvery, len(s))]...)
		if err := canceled(ctx); err != nil {
			return s, err
		}
	}
	return grown, nil
}

// textBytes is the length of row i's texts.
func textBytes(args []*vec.Vector, i int) int {
	n := 0
	for _, a := range args {
		if a.Type.Phys() == types.PhysBytes && !a.Null(i) {
			n += len(a.Bytes(i))
		}
	}
	return n
}

func canceled(ctx *expr.Ctx) error {
	if ctx == nil {
		return nil
	}
	return expr.Canceled(ctx)
}

// maxBatch bounds the bytes of one result vector: offsets are 32 bits.
const maxBatch = 1 << 30

func appendZero(out *vec.Vector) {
	switch out.Type.Phys() {
	case types.PhysBool:
		out.AppendBool(false)
	case types.PhysInt64:
		out.AppendInt(0)
	case types.PhysFloat64:
		out.AppendFloat(0)
	default:
		out.AppendBytes(nil)
	}
}

// byRowBytes is for functions of one bytes value to another: f appends the result to dst.
func byRowBytes(f func(dst, s []byte) ([]byte, error)) evalFunc {
	return func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		out.Off = append(out.Off[:0], 0)
		room, look, a := roomOf(ctx), watch{ctx: ctx}, args[0]
		for i := range n {
			if sel.Get(i) {
				s := a.Bytes(i)
				if err := look.before(len(s)); err != nil {
					return err
				}
				var err error
				if out.Data, err = f(out.Data, s); err != nil {
					return err
				}
			}
			out.Off = append(out.Off, uint32(len(out.Data)))
			out.N++
			if len(out.Data) > room.bytes {
				if stop, err := room.full(out, i+1, n); stop || err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// watch asks between rows whether the statement is still wanted, each lookEvery bytes.
type watch struct {
	ctx  *expr.Ctx
	seen int
}

// before is called with the bytes of a row that is about to be computed.
func (w *watch) before(bytes int) error {
	if w.seen += bytes; w.seen <= lookEvery {
		return nil
	}
	w.seen = 0
	return canceled(w.ctx)
}

// byRowInt is for functions of one bytes value to an integer.
func byRowInt(f func(s []byte) int64) evalFunc {
	return func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		out.SetFlat(out.Type, n)
		look, a := watch{ctx: ctx}, args[0]
		for i := range n {
			if sel.Get(i) {
				s := a.Bytes(i)
				if err := look.before(len(s)); err != nil {
					return err
				}
				out.I64[i] = f(s)
			}
		}
		return nil
	}
}

// byRowBool is for predicates on two bytes values.
func byRowBool(f func(a, b []byte) (bool, error)) evalFunc {
	return func(ctx *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		out.SetFlat(tBool, n)
		look, a, b := watch{ctx: ctx}, args[0], args[1]
		for i := range n {
			if !sel.Get(i) {
				continue
			}
			x, y := a.Bytes(i), b.Bytes(i)
			if err := look.before(len(x) + len(y)); err != nil {
				return err
			}
			ok, err := f(x, y)
			if err != nil {
				return err
			}
			if ok {
				out.Bits.Set(i)
			}
		}
		return nil
	}
}

// byFloat is for functions of one float; check, if not nil, is asked for results that are not finite.
func byFloat(f func(float64) (float64, error)) evalFunc {
	return func(_ *expr.Ctx, args []*vec.Vector, sel vec.Bitmap, n int, out *vec.Vector) error {
		out.SetFlat(out.Type, n)
		a := args[0]
		for i := range n {
			if !sel.Get(i) {
				continue
			}
			x, err := f(a.Float(i))
			if err != nil {
				return err
			}
			out.F64[i] = x
		}
		return nil
	}
}

// ints returns an integer-class argument as a slice of n values, or its one value if it is constant. A dictionary is
// spread into a new slice.
func ints(v *vec.Vector, n int) (xs []int64, c int64, isConst bool) {
	switch v.Form {
	case vec.Const:
		return nil, v.I64[0], true
	case vec.Dict:
		xs = make([]int64, n)
		for i, code := range v.Codes[:n] {
			xs[i] = dictAt(v.Dict.I64, code)
		}
		return xs, 0, false
	}
	return v.I64[:n], 0, false
}

// dictAt reads an entry; an all-NULL vector may have an empty dictionary.
func dictAt[T any](xs []T, code uint32) (x T) {
	if int(code) < len(xs) {
		return xs[code]
	}
	return x
}

func floats(v *vec.Vector, n int) (xs []float64, c float64, isConst bool) {
	switch v.Form {
	case vec.Const:
		return nil, v.F64[0], true
	case vec.Dict:
		xs = make([]float64, n)
		for i, code := range v.Codes[:n] {
			xs[i] = dictAt(v.Dict.F64, code)
		}
		return xs, 0, false
	}
	return v.F64[:n], 0, false
}

// spread returns n copies of c in a new slice: for the rare call with two constants.
func spread[T any](c T, n int) []T {
	xs := make([]T, n)
	for i := range xs {
		xs[i] = c
	}
	return xs
}
