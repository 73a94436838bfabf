package ast

// Window is an OVER clause, or an item of the WINDOW clause.
type Window struct {
	P
	Name      string // of an item of the WINDOW clause; "" for one in an OVER clause
	Ref       string // the window it copies, or that OVER names alone
	Alone     bool   // OVER name: Ref is all there is
	Partition []Expr
	Order     []SortBy
	Frame     *Frame // nil: none was given
}

// FrameMode is the unit of a frame's bounds.
type FrameMode uint8

// The modes of a frame.
const (
	FrameRange FrameMode = iota
	FrameRows
	FrameGroups
)

func (m FrameMode) String() string { return [...]string{"RANGE", "ROWS", "GROUPS"}[m] }

// BoundKind is the kind of a frame's bound.
type BoundKind uint8

// The kinds of bound, in the order of their positions.
const (
	UnboundedPreceding BoundKind = iota
	Preceding
	CurrentRow
	Following
	UnboundedFollowing
)

// Exclusion is what EXCLUDE leaves out of a frame.
type Exclusion uint8

// The exclusions.
const (
	ExcludeNone Exclusion = iota
	ExcludeCurrent
	ExcludeGroup
	ExcludeTies
)

// Frame is the frame clause of a window.
type Frame struct {
	Mode       FrameMode
	Start, End FrameBound
	Exclude    Exclusion
}

// FrameBound is one end of a frame; Offset is there for Preceding and Following.
type FrameBound struct {
	Kind   BoundKind
	Offset Expr
}
