package op

import (
	"testing"

	"github.com/telemdb/telemdb/engine/sqlstate"
)

func TestAnExecutionFailsAtTheLimitOfAllAndGivesEverythingBack(t *testing.T) {
	pool := NewMemoryPool(10 << 20)
	one, two := &memory{pool: pool}, &memory{limit: 64 << 20, pool: pool}
	if err := one.add("sort", 8<<20); err != nil {
		t.Fatal(err)
	}
	if !two.tight(1<<20+1, 1, 3) || two.tight(1<<20, 1, 3) {
		t.Error("an execution is to spill when the process is short of memory, but not below a megabyte of its own")
	}
	if err := two.add("hash join", 1<<20); err != nil {
		t.Errorf("within all limits: %v", err)
	}
	err := two.add("hash join", 3<<20)
	if sqlstate.Code(err) != sqlstate.OutOfMemory {
		t.Errorf("above the limit of all: %v, want 53200", err)
	}
	if two.bound() != 10<<20 {
		t.Errorf("bound %d: the limit of all is below the query's", two.bound())
	}
	part := &memory{parent: two}
	_ = part.add("subquery", 1<<10)
	part.release()
	two.finish()
	one.finish()
	if pool.Used() != 0 || pool.Peak() != 12<<20+1<<10 {
		t.Errorf("%d bytes are left, the peak was %d", pool.Used(), pool.Peak())
	}
	if pool.TakePeak() != 12<<20+1<<10 || pool.TakePeak() != 0 {
		t.Error("TakePeak tells what was held since its last call")
	}
}
