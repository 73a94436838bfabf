package builtin

import "github.com/telemdb/telemdb/engine/plan"

// windows are the window functions that are no aggregates, with PostgreSQL's identifiers.
var windows = []*plan.WindowFunc{
	{Name: "row_number", Ret: tInt8, OID: 3100},
	{Name: "rank", Ret: tInt8, OID: 3101},
	{Name: "dense_rank", Ret: tInt8, OID: 3102},
	{Name: "percent_rank", Ret: tFloat8, OID: 3103},
	{Name: "cume_dist", Ret: tFloat8, OID: 3104},
	{Name: "ntile", Args: sig(tInt4), Ret: tInt4, OID: 3105},
	{Name: "lag", Args: sig(tAnyElement), Ret: tAnyElement, OID: 3106},
	{Name: "lag", Args: sig(tAnyElement, tInt4), Ret: tAnyElement, OID: 3107},
	{Name: "lag", Args: sig(tAnyElement, tInt4, tAnyElement), Ret: tAnyElement, OID: 3108},
	{Name: "lead", Args: sig(tAnyElement), Ret: tAnyElement, OID: 3109},
	{Name: "lead", Args: sig(tAnyElement, tInt4), Ret: tAnyElement, OID: 3110},
	{Name: "lead", Args: sig(tAnyElement, tInt4, tAnyElement), Ret: tAnyElement, OID: 3111},
	{Name: "first_value", Args: sig(tAnyElement), Ret: tAnyElement, OID: 3112},
	{Name: "last_value", Args: sig(tAnyElement), Ret: tAnyElement, OID: 3113},
	{Name: "nth_value", Args: sig(tAnyElement, tInt4), Ret: tAnyElement, OID: 3114},
}

// Windows returns all overloads of a window function.
func Windows(name string) []*plan.WindowFunc {
	var out []*plan.WindowFunc
	for _, w := range windows {
		if w.Name == name {
			out = append(out, w)
		}
	}
	return out
}
