package expr

import (
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Pieces has the rows of a batch evaluated piece by piece where the texts made on the way are long: a function that has made
// enough of them stops after a row, what is above it takes the rows so far, and the rows that are left come after that in the
// same memory. So a batch holds no more than Ctx.TextRoom bytes, and a row, of what one call makes, whatever its rows become;
// nothing large is moved or allocated, which no cancellation could interrupt; and a batch of short texts is one piece.
//
// What was evaluated for rows that a later argument leaves out is evaluated again with them, for at most twice as many rows as
// the piece before had. Pieces are therefore not for expressions with volatile functions. Of several rows that fail, one of the
// first piece with any is reported.
//
//	for more := p.Start(n, sel); more; more, err = p.Next(ctx) {
//		// p.Eval for all expressions; then p.Sel has the rows that all of them computed.
//	}
type Pieces struct {
	n         int
	given     vec.Bitmap // nil: all rows
	from, end int        // the rows of this piece; who stops early lowers end
	sel       vec.Bitmap
}

// textRoom is the TextRoom that is best: a batch of short texts has less, and a page is not worth more time than what is done
// with its bytes.
const textRoom = 8 << 20

// Start begins with the rows of sel (nil: all) of a batch of n. Sel has to stay as it is until the last piece.
func (p *Pieces) Start(n int, sel vec.Bitmap) {
	p.n, p.given, p.from, p.end = n, sel, 0, n
}

// Eval computes ev for the rows of the piece, and may make it shorter.
func (p *Pieces) Eval(ctx *Ctx, ev *Evaluator, in *vec.Batch) (*vec.Vector, error) {
	return p.eval(ctx, ev.root, in, ev.selection(in, p.Sel()))
}

func (p *Pieces) eval(ctx *Ctx, n node, in *vec.Batch, sel vec.Bitmap) (*vec.Vector, error) {
	outer := p.enter(ctx)
	v, err := n.eval(ctx, in, sel)
	ctx.piece = outer
	return v, err
}

// enter makes p what calls may stop, and returns what they might before.
func (p *Pieces) enter(ctx *Ctx) (outer *Pieces) {
	outer = ctx.piece
	if ctx.TextRoom >= 0 {
		ctx.piece = p
	}
	return outer
}

// Whole reports that the piece is all rows.
func (p *Pieces) Whole() bool { return p.from == 0 && p.end == p.n }

// Sel returns the rows of the piece as it is now, nil for all; valid until the next call.
func (p *Pieces) Sel() vec.Bitmap {
	if p.Whole() {
		return p.given
	}
	if p.given == nil {
		p.sel = p.sel.Resize(p.n)
		p.sel.Fill(p.n)
	} else {
		p.sel = append(p.sel[:0], p.given...)
	}
	clearBelow(p.sel, p.from)
	clearFrom(p.sel, p.end)
	return p.sel
}

// Next goes on with the next piece that has rows, if there is one and the statement is still wanted.
func (p *Pieces) Next(ctx *Ctx) (more bool, err error) {
	if p.end == p.n {
		return false, nil
	}
	had := p.end - p.from
	p.from, p.end = p.end, p.n
	for p.given != nil && p.from < p.n && !p.given.Get(p.from) {
		p.from++
	}
	if p.from == p.n {
		return false, nil
	}
	p.end = min(p.n, p.from+2*had)
	return true, Canceled(ctx)
}

// Room is how many bytes of text a call may make and not stop.
func (p *Pieces) Room(ctx *Ctx) int {
	if ctx.TextRoom > 0 {
		return ctx.TextRoom
	}
	return textRoom
}

// StopBefore tells that a call has not computed row i and those after it. It has computed at least one row that was asked for.
func (p *Pieces) StopBefore(i int) { p.end = min(p.end, i) }

// TakePieces is for functions that can stop early: once their texts have more than Room bytes they may tell with StopBefore which
// rows they leave out; these have to be there, with any value. Nil: all rows have to be computed. What the function calls in turn
// may not stop.
func (c *Ctx) TakePieces() *Pieces {
	if c == nil {
		return nil
	}
	p := c.offer
	c.offer = nil
	return p
}

// reached returns the rows of sel that are still in the piece, in buf's memory where that is not all: a call below has stopped.
func (c *Ctx) reached(sel vec.Bitmap, buf *vec.Bitmap) vec.Bitmap {
	p := c.piece
	if p == nil || p.end == p.n {
		return sel
	}
	*buf = append((*buf)[:0], sel...)
	clearFrom(*buf, p.end)
	return *buf
}

// whole calls f, which makes texts of n rows that are not those of a batch, and reports whether it computed them all.
func (c *Ctx) whole(n int, f func() error) bool {
	var p Pieces
	p.Start(n, nil)
	outer := p.enter(c)
	err := f()
	c.piece = outer
	return err == nil && p.Whole()
}

func clearBelow(b vec.Bitmap, i int) {
	clear(b[:i>>6])
	if i&63 != 0 {
		b[i>>6] &= ^uint64(0) << (uint(i) & 63)
	}
}

func clearFrom(b vec.Bitmap, i int) {
	if i&63 != 0 {
		b[i>>6] &= 1<<(uint(i)&63) - 1
		i += 64 - i&63
	}
	if w := i >> 6; w < len(b) {
		clear(b[w:])
	}
}

// inPieces reports whether e is evaluated in pieces: its own values are short, but not what it is made of.
func inPieces(e Expr) bool {
	if e.Type().Phys() == types.PhysBytes {
		return false
	}
	for _, a := range Args(e) {
		if makesTexts(a) {
			return !hasVolatile(e)
		}
	}
	return false
}

// MakeTexts reports whether evaluating es in Pieces may be of use: one of them makes texts, and all may be evaluated again.
func MakeTexts(es []Expr) bool {
	some := false
	for _, e := range es {
		if hasVolatile(e) {
			return false
		}
		some = some || makesTexts(e)
	}
	return some
}

// makesTexts reports whether a function makes the bytes that are e's value.
func makesTexts(e Expr) bool {
	if e.Type().Phys() != types.PhysBytes {
		return false
	}
	switch e := e.(type) {
	case *Call:
		return !Static(e)
	case *Leaf:
		return makesTexts(e.Base)
	case *Case, *Coalesce:
		for _, a := range Args(e) {
			if makesTexts(a) {
				return true
			}
		}
	}
	return false
}

func hasVolatile(e Expr) bool {
	found := false
	Walk(e, func(x Expr) bool {
		if c, ok := x.(*Call); ok && c.Fn.Volatile == Volatile {
			found = true
		}
		return !found
	})
	return found
}

// piecesNode evaluates an expression in pieces.
type piecesNode struct {
	arg  node
	t    types.Type
	p    Pieces
	out  vec.Vector
	none vec.Vector
	sel  vec.Bitmap // of filter: the rows of a piece that pass
	acc  vec.Bitmap // of filter: those of all pieces
}

func (n *piecesNode) eval(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) (*vec.Vector, error) {
	n.p.Start(in.N, sel)
	v, err := n.p.eval(ctx, n.arg, in, sel)
	if err != nil || n.p.Whole() {
		return v, err
	}
	n.out.Reset(n.t)
	for more := true; more; {
		n.skip(n.p.from)
		n.out.AppendRange(v, n.p.from, n.p.end)
		if more, err = n.p.Next(ctx); err != nil {
			return nil, err
		}
		if more {
			if v, err = n.p.eval(ctx, n.arg, in, n.p.Sel()); err != nil {
				return nil, err
			}
		}
	}
	n.skip(in.N)
	return &n.out, nil
}

// skip appends rows that nobody asked for, up to row i.
func (n *piecesNode) skip(i int) {
	if n.out.N < i {
		n.none.SetConstNull(n.t, i-n.out.N)
		n.out.AppendRange(&n.none, 0, i-n.out.N)
	}
}

func (n *piecesNode) filter(ctx *Ctx, in *vec.Batch, sel vec.Bitmap) error {
	n.p.Start(in.N, sel)
	n.acc = n.acc.Resize(in.N)
	for more := true; more; {
		n.sel = append(n.sel[:0], n.p.Sel()...)
		outer := n.p.enter(ctx)
		err := filter(n.arg, ctx, in, n.sel)
		ctx.piece = outer
		if err != nil {
			return err
		}
		clearFrom(n.sel, n.p.end)
		n.acc.Or(n.sel)
		if more, err = n.p.Next(ctx); err != nil {
			return err
		}
	}
	copy(sel, n.acc)
	return nil
}
