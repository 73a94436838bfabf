package bind

import (
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
	"github.com/telemdb/telemdb/storage/types"
)

// TypeOf resolves a type name as written.
func TypeOf(n ast.TypeName) (types.Type, error) {
	t, ok := lookupType(n)
	if !ok {
		return t, sqlstate.New(sqlstate.UndefinedObject, "type \"%s\" does not exist", strings.Join(n.Names, ".")).At(n.Pos())
	}
	mod, err := typeMod(t.Kind, n)
	if err != nil {
		return t, err
	}
	t = datum.WithTypMod(t, mod)
	if n.Array && t.Kind != types.Array {
		if datum.ArrayOID(t.Kind) == 0 {
			return t, sqlstate.New(sqlstate.UndefinedObject, "type \"%s[]\" does not exist", strings.Join(n.Names, ".")).At(n.Pos())
		}
		t = types.Type{Kind: types.Array, Elem: t.Kind, Mod: t.Mod}
	}
	return t, nil
}

func lookupType(n ast.TypeName) (types.Type, bool) {
	if len(n.Names) == 0 || len(n.Names) > 2 {
		return types.Type{}, false
	}
	if len(n.Names) == 2 && n.Names[0] != "pg_catalog" && n.Names[0] != "telemdb" {
		return types.Type{}, false
	}
	name := n.Names[len(n.Names)-1]
	t, ok := datum.TypeByName(name)
	if !ok || t.Kind == types.Unknown && name != "unknown" {
		return types.Type{}, false
	}
	// char(n) comes as bpchar; a plain "char" is the one-byte catalog type.
	return t, true
}

func typeMod(k types.Kind, n ast.TypeName) (int32, error) {
	if len(n.Mods) == 0 {
		return -1, nil
	}
	mods := make([]int, len(n.Mods))
	for i, m := range n.Mods {
		l, ok := m.(*ast.Lit)
		v := 0
		if ok {
			var err error
			v, err = strconv.Atoi(l.Text)
			ok = err == nil
		}
		if !ok {
			return 0, sqlstate.New(sqlstate.Syntax, "type modifiers must be simple constants or identifiers").At(n.Pos())
		}
		mods[i] = v
	}
	bad := func(format string, args ...any) (int32, error) {
		return 0, sqlstate.New(sqlstate.InvalidParameter, format, args...).At(n.Pos())
	}
	switch k {
	case types.Varchar, types.BPChar:
		if len(mods) != 1 || mods[0] < 1 {
			return bad("length for type %s must be at least 1", datum.TypeName(types.Of(k)))
		}
		if mods[0] > 10485760 {
			return bad("length for type %s cannot exceed 10485760", datum.TypeName(types.Of(k)))
		}
		return int32(mods[0] + 4), nil
	case types.Numeric:
		return numericMod(mods, bad)
	case types.Time, types.Timestamp, types.Timestamptz:
		return int32(min(max(mods[0], 0), 6)), nil
	case types.Interval:
		prec := 0xffff
		if len(mods) > 1 {
			prec = min(max(mods[1], 0), 6)
		}
		return int32(mods[0]<<16 | prec), nil
	case types.Float32, types.Float64:
		return -1, nil
	}
	return bad("type modifier is not allowed for type \"%s\"", datum.TypeName(types.Of(k)))
}

func numericMod(mods []int, bad func(string, ...any) (int32, error)) (int32, error) {
	scale := 0
	if len(mods) > 1 {
		scale = mods[1]
	}
	if mods[0] < 1 || mods[0] > 1000 {
		return bad("NUMERIC precision %d must be between 1 and 1000", mods[0])
	}
	if scale < -1000 || scale > 1000 {
		return bad("NUMERIC scale %d must be between -1000 and 1000", scale)
	}
	return datum.MakeNumericMod(mods[0], scale), nil
}
