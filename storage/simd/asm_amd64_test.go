package simd

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// A kernel for AVX2 that names a register or a mask of AVX-512 would be assembled without a word and die on the machines
// it is for.
func TestKernelsForAVX2NameNoRegistersOfAVX512(t *testing.T) {
	src, err := os.ReadFile("asm_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	beyond := regexp.MustCompile(`\b([XY](1[6-9]|2[0-9]|3[01])|Z[0-9]+|K[0-7])\b`)
	kernels := 0
	for _, text := range strings.Split(string(src), "\nTEXT ·")[1:] {
		name, body, _ := strings.Cut(text, "(")
		if !strings.HasSuffix(name, "Y") {
			continue
		}
		kernels++
		if reg := beyond.FindString(body); reg != "" {
			t.Errorf("%s uses %s", name, reg)
		}
	}
	if kernels < 10 {
		t.Errorf("%d kernels for AVX2 found: have their names changed?", kernels)
	}
}
