package builtin

import (
	"bytes"
	"context"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/vec"
)

var longPatterns = []string{"a", "a*", "a*?", "", "(a)|(b)?", "b?", "a+b", "ab.*c", "ab(c|a)*é", "a(b|aé)", "aab.*?c", "ab c", "a$", "c|$", "^a", `\yab`, "(?n)^.", "[^a]*", "(b|c)a[^b]", "zzz", "(?i)AB", "éa+"}

// What is read rune by rune, and from prefix to prefix, has the matches of a search at once.
func TestSearchesInLongTextsFindWhatOthersFind(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 7))
	ctx := &expr.Ctx{Context: t.Context()}
	for _, src := range longPatterns {
		re, err := compileRegex([]byte(src), regexFlags{})
		if err != nil {
			t.Fatal(src, err)
		}
		for range 200 {
			var text []byte
			for range rnd.IntN(40) {
				text = append(text, []string{"a", "a", "ab", "b", " ", "c", "\n", "é", "\xff"}[rnd.IntN(9)]...)
			}
			m, err := re.searchLong(ctx, text, bounds)
			if want := re.Regexp.FindSubmatchIndex(text); err != nil || !reflect.DeepEqual(m, want) {
				t.Fatalf("%q in %q: %v, want %v, %v", src, text, m, want, err)
			}
			m, err = re.searchLong(ctx, text, anyMatch)
			if want := re.Regexp.Match(text); err != nil || (m != nil) != want {
				t.Fatalf("%q in %q: a match %v, want %v", src, text, m != nil, want)
			}
			if re.back {
				continue
			}
			var all [][]int
			if err := re.eachLong(ctx, text, func(m []int) error { all = append(all, m); return nil }); err != nil {
				t.Fatal(err)
			}
			if want := re.Regexp.FindAllSubmatchIndex(text, -1); !reflect.DeepEqual(all, want) {
				t.Fatalf("%q in %q: %v, want %v", src, text, all, want)
			}
		}
	}
}

// A prefix that comes often and never leads to a match does not make the search quadratic.
func TestAFrequentPrefixIsGivenUp(t *testing.T) {
	re, err := compileRegex([]byte("a.*b"), regexFlags{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := re.searchLong(nil, bytes.Repeat([]byte("a"), 300_000), bounds) // 2 h if it were
	if m != nil || err != nil {
		t.Fatal(m, err)
	}
}

// A search is over soon after its statement is, wherever it is in the text.
func TestASearchInALongTextEndsWhenItIsCancelled(t *testing.T) {
	text := bytes.Repeat([]byte("abcdefghij"), 2*regexLong/10)
	for _, src := range []string{"[aeiou]z", "a[^z]*z", "jk*z", "^.*z", `\yz`} {
		re, err := compileRegex([]byte(src), regexFlags{})
		if err != nil {
			t.Fatal(err)
		}
		c := &endsLater{Context: t.Context(), after: 3}
		ctx := &expr.Ctx{Context: c}
		if _, err := re.search(ctx, text); sqlstate.Code(err) != sqlstate.QueryCanceled {
			t.Errorf("%q: %v after %d times that it asked", src, err, c.asked)
		}
		c.asked = 0
		if _, err := re.matches(ctx, text); sqlstate.Code(err) != sqlstate.QueryCanceled {
			t.Errorf("%q: %v after %d times that it asked", src, err, c.asked)
		}
	}
}

// endsLater is a context that is cancelled once it was asked so many times.
type endsLater struct {
	context.Context
	after, asked int
}

func (c *endsLater) Err() error {
	if c.asked++; c.asked > c.after {
		return context.Canceled
	}
	return nil
}

func TestRepeatedTextsAreWhole(t *testing.T) {
	for _, s := range []string{"", "a", "abc", "é-", string(bytes.Repeat([]byte("xyz"), repeatUnit/3+1))} {
		for _, n := range []int{0, 1, 2, 3, 7, 100, 33_001} {
			if len(s)*n > 8<<20 {
				continue
			}
			got, err := appendRepeated(nil, []byte("before"), []byte(s), n)
			if want := append([]byte("before"), bytes.Repeat([]byte(s), n)...); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d times %d bytes: %d bytes, %v", n, len(s), len(got), err)
			}
		}
	}
}

// Functions that take long for one value ask on the way.
func TestOneLongValueEndsWhenItIsCancelled(t *testing.T) {
	text := bytes.Repeat([]byte("abcdefghij"), 200_000)
	for name, call := range map[string]func(ctx *expr.Ctx) error{
		"split": func(ctx *expr.Ctx) error {
			return splitText(ctx, vectorsOf(text, []byte("c")), 0, &vec.Vector{Type: tText})
		},
		"repeat": func(ctx *expr.Ctx) error { _, err := appendRepeated(ctx, nil, text, 10); return err },
		"factorial": func(ctx *expr.Ctx) error {
			n := vec.Vector{Type: tInt8, N: 1, I64: []int64{5000}}
			return Scalars("factorial")[0].Eval(ctx, []*vec.Vector{&n}, vec.Bitmap{1}, 1, &vec.Vector{Type: tNumeric})
		},
	} {
		c := &endsLater{Context: t.Context(), after: 3}
		if err := call(&expr.Ctx{Context: c}); sqlstate.Code(err) != sqlstate.QueryCanceled {
			t.Errorf("%s: %v after %d times that it asked", name, err, c.asked)
		}
	}
}

// vectorsOf makes a vector of one row of each text.
func vectorsOf(texts ...[]byte) (out []*vec.Vector) {
	for _, s := range texts {
		v := &vec.Vector{Type: tText}
		v.AppendBytes(s)
		out = append(out, v)
	}
	return out
}
