package kernel

// Steps are intervals of integers, numbered from 0: step i ends before cuts[i]. first tells, for equal parts of the range, in
// which step a part begins, so that few comparisons are left.
type Steps struct {
	Least int64
	Shift uint
	First []uint16 // by (x-Least) >> Shift
	Cuts  []int64  // ascending; the last is above every value
}

// StepCodes writes the steps of xs, which lie in the range; of others it writes any.
func StepCodes[C uint8 | uint16](xs []int64, s *Steps, out []C) {
	out = out[:len(xs)]
	last := uint64(len(s.First) - 1)
	for i, x := range xs {
		c := s.First[min(uint64(x-s.Least)>>(s.Shift&63), last)]
		for x >= s.Cuts[c] {
			c++
		}
		out[i] = C(c)
	}
}
