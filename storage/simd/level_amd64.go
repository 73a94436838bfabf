package simd

import "golang.org/x/sys/cpu"

// Best returns the highest level this machine has.
func Best() Level {
	x := &cpu.X86
	if !x.HasAVX2 || !x.HasBMI1 || !x.HasBMI2 || !x.HasPOPCNT {
		return Off
	}
	if !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL || !x.HasAVX512VBMI || !x.HasAVX512VBMI2 ||
		!x.HasAVX512VPOPCNTDQ {
		return AVX2
	}
	return AVX512
}
