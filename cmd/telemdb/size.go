package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// size is the value of a flag in bytes: 1048576, 64MiB, 4GiB.
type size struct{ bytes *int64 }

// sizeVar adds a size flag to f.
func sizeVar(f *pflag.FlagSet, p *int64, name string, def int64, usage string) {
	*p = def
	f.Var(size{p}, name, usage)
}

// Units are powers of 1024; the largest come first, as String tries them in order.
var sizeUnits = []struct {
	name  string
	shift uint
}{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}

// Set implements pflag.Value.
func (s size) Set(text string) error {
	digits, shift := text, uint(0)
	for _, u := range sizeUnits {
		if d, ok := strings.CutSuffix(text, u.name); ok {
			digits, shift = d, u.shift
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return fmt.Errorf("%q is not a size, such as 1048576, 64MiB or 4GiB", text)
	}
	*s.bytes = n << shift
	return nil
}

// String implements pflag.Value.
func (s size) String() string {
	if s.bytes == nil || *s.bytes == 0 {
		return "0"
	}
	for _, u := range sizeUnits {
		if *s.bytes%(1<<u.shift) == 0 {
			return strconv.FormatInt(*s.bytes>>u.shift, 10) + u.name
		}
	}
	return strconv.FormatInt(*s.bytes, 10)
}

// Type implements pflag.Value.
func (s size) Type() string { return "size" }
