package builtin

import (
	"context"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
)

// Matches found some at a time are those found at once, for patterns with empty matches, anchors and groups too.
func TestMatchesFoundInPiecesAreAllOfThem(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 7))
	text := make([]byte, 3*regexShort)
	for i := range text {
		text[i] = "aaab c\n"[rnd.IntN(7)]
	}
	for _, src := range []string{"a", "a*", "a*?", "", "(a)|(b)?", "b?", "a+b", `\b`, `^a`, `\ya\w*`, "a$", "c|$", "(?n)^.", "[^a]*", "zzz"} {
		re, err := compileRegex([]byte(src), regexFlags{})
		if err != nil {
			t.Fatal(src, err)
		}
		want := re.FindAllSubmatchIndex(text, -1)
		var got [][]int
		if err := re.each(nil, text, -1, func(m []int) error { got = append(got, m); return nil }); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %d matches, want %d", src, len(got), len(want))
		}
	}
}

func TestFindingMatchesEndsWhenItIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	text := make([]byte, 1<<20)
	re, err := compileRegex([]byte("."), regexFlags{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = re.each(&expr.Ctx{Context: ctx}, text, -1, func([]int) error {
		if n++; n == 10 {
			cancel()
		}
		return nil
	})
	if err == nil || n > 2*regexPiece {
		t.Errorf("%v after %d matches", err, n)
	}
}
