package expr

import (
	"strconv"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/ingest/shred"
	"github.com/telemdb/telemdb/storage/sketch"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// Caster converts the text or jsonb form of a member to the type a cast around the member asked for, with the meaning
// of that cast in SQL. It belongs to one goroutine. An error is raised for selected rows only.
type Caster struct {
	from, to types.Type
	out      vec.Vector
	coded    vec.Vector
	dict     dictResult
	num      datum.Numeric
	buf      []byte
}

// NewCaster returns a caster from text or jsonb (or bigint) to the type to.
func NewCaster(from, to types.Type) *Caster { return &Caster{from: from, to: to} }

// Cast returns v's rows as the new type, valid until the next call. Rows outside sel are NULL.
func (c *Caster) Cast(ctx *Ctx, v *vec.Vector, sel vec.Bitmap) (*vec.Vector, error) {
	switch v.Form {
	case vec.Const:
		one := *v
		one.N = 1
		if isEmpty(sel) {
			c.out.SetConstNull(c.to, v.N)
			return &c.out, nil
		}
		if err := c.rows(ctx, &one, vec.Bitmap{1}, &c.out); err != nil {
			return nil, err
		}
		c.out.Form, c.out.N = vec.Const, v.N
		return &c.out, nil
	case vec.Dict:
		if c.dict.of != v.Dict && v.Dict.N <= max(v.N, vec.BatchRows) {
			c.dict = c.castDict(ctx, v)
		}
		if c.dict.of == v.Dict && c.dict.ok {
			decode(c.dict.res, v, &c.coded)
			return &c.coded, nil
		}
	}
	if err := c.rows(ctx, v, sel, &c.out); err != nil {
		return nil, err
	}
	return &c.out, nil
}

func (c *Caster) castDict(ctx *Ctx, v *vec.Vector) dictResult {
	r := dictResult{of: v.Dict, res: &vec.Vector{}}
	if v.Dict.N == 0 {
		return r
	}
	all := vec.MakeBitmap(v.Dict.N)
	all.Fill(v.Dict.N)
	d := *v.Dict
	d.Type = v.Type
	r.ok = c.rows(ctx, &d, all, r.res) == nil
	return r
}

func (c *Caster) rows(ctx *Ctx, v *vec.Vector, sel vec.Bitmap, out *vec.Vector) error {
	out.Reset(c.to)
	format := ctx.Format()
	for i := range v.N {
		if !sel.Get(i) || v.Null(i) {
			out.AppendNull()
			continue
		}
		if err := c.one(v.Bytes(i), format, out); err != nil {
			return err
		}
	}
	return nil
}

func (c *Caster) one(b []byte, format *datum.Format, out *vec.Vector) error {
	if c.to.Kind == types.Histogram {
		h, err := sketch.Parse(string(b))
		if err != nil {
			out.AppendNull() // what is no histogram casts to NULL, and aggregates skip it
			return nil
		}
		c.buf = h.AppendTo(c.buf[:0])
		out.AppendBytes(c.buf)
		return nil
	}
	if c.from.Kind == types.JSONB {
		return c.oneJSON(b, format, out)
	}
	return c.oneText(b, format, out)
}

func (c *Caster) oneText(b []byte, format *datum.Format, out *vec.Vector) error {
	if c.to.Kind == types.Int64 && len(b) > 0 && len(b) < 19 {
		if x, err := strconv.ParseInt(string(b), 10, 64); err == nil && b[0] != '+' {
			out.AppendInt(x)
			return nil
		}
	}
	return datum.ParseText(c.to, b, format, out)
}

// oneJSON is the cast of a jsonb scalar: numbers to number types, booleans to boolean; null is NULL.
func (c *Caster) oneJSON(b []byte, format *datum.Format, out *vec.Vector) error {
	kind := shred.JSONBTypeof(b)
	switch c.to.Kind {
	case types.JSONB, types.JSON:
		out.AppendBytes(b)
		return nil
	case types.Text, types.Varchar, types.BPChar, types.Name: // the output form, then the cast from text
		return datum.ParseText(c.to, b, format, out)
	}
	if kind == "null" {
		// PostgreSQL 15 refuses here; 18 gives NULL, which is what a missing member gives too.
		out.AppendNull()
		return nil
	}
	want := "number"
	if c.to.Kind == types.Bool {
		want = "boolean"
	}
	if kind != want || !castable(c.to.Kind) {
		return sqlstate.New(sqlstate.InvalidParameter, "cannot cast jsonb %s to type %s", kind, c.to)
	}
	switch c.to.Kind {
	case types.Int16, types.Int32, types.Int64:
		if err := c.num.Parse(b); err != nil {
			return err
		}
		x, err := c.num.Int64(c.to.Kind)
		if err != nil {
			return err
		}
		out.AppendInt(x)
		return nil
	}
	return datum.ParseText(c.to, b, format, out)
}

func castable(k types.Kind) bool {
	switch k {
	case types.Bool, types.Int16, types.Int32, types.Int64, types.Float32, types.Float64, types.Numeric:
		return true
	}
	return false
}

// formatter is what a session may offer beside SessionInfo.
type formatter interface{ Format() *datum.Format }

// Format returns how the session reads and writes text forms.
func (c *Ctx) Format() *datum.Format {
	if c != nil {
		if f, ok := c.Session.(formatter); ok {
			return f.Format()
		}
	}
	return datum.Default
}
