package pgcatalog

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/storage/types"
)

//go:embed types.txt
var typeText string

// pgType is a row of pg_type without what is the same for all.
type pgType struct {
	oid               uint32
	name              string
	len               int16
	byVal, preferred  bool
	typtype, category byte
	elem, array       uint32
	funcs             [8]uint32 // input, output, receive, send, modin, modout, analyze, subscript
	align, storage    byte
	collation         uint32
}

// typeTable is the built-in types, by oid.
type typeTable struct {
	all   []*pgType
	byOID map[uint32]*pgType
	// The functions types name: in no other table, as nobody can call them.
	funcName map[uint32]string
	funcOID  map[string]uint32
}

func newTypeTable() *typeTable {
	t := &typeTable{byOID: map[uint32]*pgType{}, funcName: map[uint32]string{}, funcOID: map[string]uint32{}}
	for line := range strings.Lines(typeText) {
		if f := strings.Fields(line); len(f) > 0 && f[0] != "#" {
			t.add(t.parse(f))
		}
	}
	for _, info := range datum.Types { // telemdb's own
		if t.byOID[info.OID] == nil {
			t.add(&pgType{oid: info.OID, name: info.Name, len: info.Len, byVal: info.ByVal, preferred: info.Preferred, typtype: 'b',
				category: info.Category, array: info.ArrayOID, align: info.Align, storage: 'x'})
			if info.ArrayOID != 0 {
				arr := *t.byOID[1007] // as int4[]
				arr.oid, arr.name, arr.elem = info.ArrayOID, "_"+info.Name, info.OID
				t.add(&arr)
			}
		}
	}
	return t
}

func (t *typeTable) add(p *pgType) {
	t.all = append(t.all, p)
	t.byOID[p.oid] = p
}

func (t *typeTable) parse(f []string) *pgType {
	num := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			panic(fmt.Sprintf("BUG: pgcatalog: types.txt: %v: %v", f, err))
		}
		return n
	}
	p := &pgType{oid: uint32(num(f[0])), name: f[1], len: int16(num(f[2])), byVal: f[3] == "true", typtype: f[4][0], category: f[5][0],
		preferred: f[6] == "true", elem: uint32(num(f[7])), array: uint32(num(f[8])), align: f[17][0], storage: f[18][0], collation: uint32(num(f[19]))}
	for i := range p.funcs {
		oid, name, _ := strings.Cut(f[9+i], "=")
		if p.funcs[i] = uint32(num(oid)); p.funcs[i] != 0 {
			t.funcName[p.funcs[i]], t.funcOID[name] = name, p.funcs[i]
		}
	}
	return p
}

// of returns the pg_type row of a type; it is not nil for anything a column can have.
func (t *typeTable) of(typ types.Type) *pgType {
	if p := t.byOID[datum.OID(typ)]; p != nil {
		return p
	}
	return t.byOID[25]
}

// formatType is format_type: typmod -1 for none.
func (e *env) formatType(oid uint32, typmod int32) string {
	if oid == 0 {
		return "-"
	}
	if t, ok := datum.TypeOfOID(oid); ok {
		return datum.FormatType(datum.WithTypMod(t, typmod))
	}
	if k := e.w.byType[oid]; k != nil {
		if e.visible(k) {
			return quoteIdent(k.name.Name)
		}
		return quoteIdent(k.name.Schema) + "." + quoteIdent(k.name.Name)
	}
	if p := e.c.types.byOID[oid]; p != nil {
		return p.name
	}
	return "???"
}
