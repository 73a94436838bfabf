package op

import "sync/atomic"

// partitionGate lets workers begin partitions of an aggregation that is on disk, in their order, as long as one more is likely to fit in
// memory beside those that are in the making or wait to be given out. So partitions are rarely divided, which costs more than to
// wait, and whoever takes the groups keeps room of its own. One partition may always be begun.
type partitionGate struct {
	door   chan struct{} // held by who begins one; nil: nothing is on disk, and who comes may enter
	freed  chan struct{} // tells who waits that a partition has been given out
	begun  atomic.Int64  // partitions that are in the making or wait
	making atomic.Int64  // those in the making
	most   atomic.Int64  // bytes of the largest one so far
}

func (g *partitionGate) init(onDisk bool) {
	if onDisk {
		g.door, g.freed = make(chan struct{}, 1), make(chan struct{}, 1)
	}
}

// enter waits until a partition may be begun; false when quit is closed.
func (g *partitionGate) enter(m *memory, quit <-chan struct{}) bool {
	if g.door == nil {
		return true
	}
	select {
	case g.door <- struct{}{}:
	case <-quit:
		return false
	}
	defer func() { <-g.door }()
	for g.begun.Load() > 0 && m.tight(g.most.Load()*(1+g.making.Load()), 3, 4) {
		select {
		case <-g.freed:
		case <-quit:
			return false
		}
	}
	g.begun.Add(1)
	g.making.Add(1)
	return true
}

// made is called when a partition is complete.
func (g *partitionGate) made(p partition) {
	g.making.Add(-1)
	if p.out != nil {
		raise(&g.most, p.out.t.mem.held)
	}
}

// leave is called when a partition has been given out.
func (g *partitionGate) leave() {
	if g.door == nil {
		return
	}
	g.begun.Add(-1)
	select {
	case g.freed <- struct{}{}:
	default: // one is told already
	}
}
