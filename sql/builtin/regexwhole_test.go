package builtin

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
	"unicode/utf8"
)

// wholePatterns are of the form that has a faster way.
var wholePatterns = []string{
	`^https?://(?:www\.)?([^/]+)/.*$`, `^(a*)(a*)b?$`, `^(a+)(a?)(.*)$`, `^(.)(.+)$`, `^([^b]*)b(.*)$`, `^a?a?a?aaa$`, `^$`, `^(.*)/([^/]*)$`,
	`^([0-9]+)\.([0-9]*)\.?.*$`, `^(?:ab)?(ab)a*$`, `^ж?([^b]*)(.?)$`, `^[a-c]{2,3}(/+)[^\n]*$`, `^(a(b+)c?)(.*)$`,
	`^([^/]*)(/?)(?:ab)?c?$`, `^([^a]?)a*$`, `^([^/]+)([0-9]*)/.*$`, `^([0-9]*)(?:\.)?([a-c]*)/?$`, `^(?:www\.)?([^./]*)\.?(.*)$`,
}

// TestWholePatternsMatchAsGosEngineDoes compares with Go's engine, which finds the longest match.
func TestWholePatternsMatchAsGosEngineDoes(t *testing.T) {
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	alphabet := []string{"a", "b", "ab", "c", "/", ".", "0", "12", "ж", "€", "\n", "http://", "https://", "www.", "aaa"}
	for _, src := range wholePatterns {
		src = "(?s)" + src
		w := newWholePattern(src)
		if w == nil {
			t.Errorf("%s has no faster way", src)
			continue
		}
		re := regexp.MustCompile(src)
		re.Longest()
		matched := 0
		for range 4000 {
			var s []byte
			for range rng.IntN(9) {
				s = append(s, alphabet[rng.IntN(len(alphabet))]...)
			}
			want := re.FindSubmatchIndex(s)
			got, ok, decided := w.find(s, nil)
			if !decided {
				continue
			}
			if ok != (want != nil) || ok && !slices.Equal(got, want) {
				t.Fatalf("seed %d: %s on %q: %v %v, not %v", seed, src, s, got, ok, want)
			}
			if ok {
				matched++
			}
		}
		if matched == 0 {
			t.Errorf("%s never matched", src)
		}
	}
}

// TestAWholePatternGivesUp: many ways through are not all tried.
func TestAWholePatternGivesUp(t *testing.T) {
	w := newWholePattern(`^a*a*a*a*a*a*a*a*b$`)
	if w == nil {
		t.Fatal("no faster way")
	}
	s := make([]byte, 2000)
	for i := range s {
		s[i] = 'a'
	}
	if _, _, decided := w.find(s, nil); decided {
		t.Error("decided without having tried all")
	}
	re, err := compileRegex([]byte(`^a*a*a*a*a*a*a*a*b$`), regexFlags{})
	if err != nil || re.Match(s) || !re.Match(append(s, 'b')) {
		t.Error("another answer than Go's engine", err)
	}
}

func TestOtherPatternsHaveNoFasterWay(t *testing.T) {
	for _, src := range []string{`a$`, `^a`, `^a|b$`, `^(a|bc)$`, `^[а-я]+$`, `^(ab)*$`, `(?i)^ab$`, `(?m)^a$`, `^(?:a(b))?$`, `^\ba$`, `^([0-9]+)?$`, `^[^ж]*$`} {
		if newWholePattern(src) != nil {
			t.Errorf("%s has one", src)
		}
	}
}

func FuzzWholePattern(f *testing.F) {
	for _, src := range wholePatterns {
		f.Add(src, "https://www.example.org/ab/c")
	}
	f.Fuzz(func(t *testing.T, src, s string) {
		w := newWholePattern(src)
		if w == nil || !utf8.ValidString(s) || len(s) > 200 {
			return
		}
		re := regexp.MustCompile(src)
		re.Longest()
		want := re.FindStringSubmatchIndex(s)
		if got, ok, decided := w.find([]byte(s), nil); decided && (ok != (want != nil) || ok && !slices.Equal(got, want)) {
			t.Errorf("%q on %q: %v %v, not %v", src, s, got, ok, want)
		}
	})
}

func BenchmarkHostOfAddress(b *testing.B) {
	s := []byte("https://www.example-of-a-host.org/some/path/of/it?and=more")
	re, err := compileRegex([]byte(`^https?://(?:www\.)?([^/]+)/.*$`), regexFlags{})
	if err != nil {
		b.Fatal(err)
	}
	with := newReplacement([]byte(`\1`))
	for name, re := range map[string]*pattern{"whole": re, "go": {Regexp: re.Regexp}} {
		b.Run(name, func(b *testing.B) {
			var out []byte
			for range b.N {
				if out, err = replaceRegex(nil, out[:0], re, s, with, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
