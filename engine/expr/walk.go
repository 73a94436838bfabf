package expr

// Args returns the expressions directly below e.
func Args(e Expr) []Expr {
	switch e := e.(type) {
	case *Call:
		return e.Args
	case *Logic:
		return e.Args
	case *Not:
		return []Expr{e.Arg}
	case *IsNull:
		return []Expr{e.Arg}
	case *Case:
		var out []Expr
		for _, w := range e.Whens {
			out = append(out, w.Cond, w.Then)
		}
		return append(out, e.Else)
	case *Coalesce:
		return e.Args
	case *In:
		return []Expr{e.Arg}
	case *Leaf:
		return []Expr{e.Base}
	case *Subplan:
		if e.Arg != nil {
			return []Expr{e.Arg}
		}
	}
	return nil
}

// Walk calls f for e and everything below it, but not inside subplans, until f returns false for a branch.
func Walk(e Expr, f func(Expr) bool) {
	if !f(e) {
		return
	}
	for _, a := range Args(e) {
		Walk(a, f)
	}
}

// Static reports whether e has one value for a whole execution: it depends on no column, no enclosing row, no subplan
// and no volatile function.
func Static(e Expr) bool {
	static := true
	Walk(e, func(x Expr) bool {
		switch x := x.(type) {
		case *Col, *Outer, *Subplan:
			static = false
		case *Call:
			if x.Fn.Volatile == Volatile {
				static = false
			}
		}
		return static
	})
	return static
}
