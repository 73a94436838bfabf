package codec

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

func textValues(vals ...string) *Values {
	v := &Values{Leaf: types.LeafText, Rows: len(vals)}
	v.Vec.Reset(types.Of(types.Text))
	for _, s := range vals {
		v.Vec.AppendString(s)
	}
	return v
}

func mustOpen(t testing.TB, v *Values, o Options) ([]byte, *Chunk) {
	t.Helper()
	var e Encoder
	data, err := e.Encode(nil, v, o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(v.Leaf, v.Rows, v.Present(), data)
	if err != nil {
		t.Fatal(err)
	}
	return data, c
}

// requireRoundTrip reads every block back.
func requireRoundTrip(t testing.TB, v *Values, data []byte, c *Chunk) {
	t.Helper()
	ref := v.flat()
	var got vec.Vector
	for from := 0; from < v.Rows; from += blockValues {
		to := min(v.Rows, from+blockValues)
		if err := c.Read(data, from, to, &got); err != nil {
			t.Fatal(err)
		}
		for i := range got.N {
			if got.Null(i) != ref.Null(from+i) || !sameValue(ref, from+i, &got, i) {
				t.Fatalf("%s: row %d differs", c.name(), from+i)
			}
		}
	}
}

func TestDecimalsComeBackToTheLastBit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 3000).Draw(rt, "values")
		digits := rapid.IntRange(0, alpDigits).Draw(rt, "digits")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 2))
		odd := rapid.IntRange(0, 30).Draw(rt, "odd of 100")
		size := rapid.Int64Range(1, 1<<60).Draw(rt, "largest")
		v := &Values{Leaf: types.LeafFloat, Rows: n}
		v.Vec.Reset(types.Of(types.Float64))
		for range n {
			x := float64(r.Int64N(size)-size/2) / pow10[digits]
			if r.IntN(100) < odd {
				x = math.Float64frombits(r.Uint64())
				if r.IntN(2) == 0 {
					x = oddFloats[r.IntN(len(oddFloats))]
				}
			}
			v.Vec.AppendFloat(x)
		}
		var e Encoder
		chosen := rapid.IntRange(0, alpDigits).Draw(rt, "chosen digits")
		body := e.appendALP([]byte{presentAll<<6 | encALP}, v.Vec.F64, chosen) // whatever the choice, nothing is lost
		c, err := Open(v.Leaf, n, n, body)
		if err != nil {
			rt.Fatal(err)
		}
		requireRoundTrip(t, v, body, c)
		data, c := mustOpen(t, v, Options{})
		requireRoundTrip(t, v, data, c)
	})
}

func TestAnyTextsComeBackFromSymbols(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 12), 1, 20).Draw(rt, "parts")
		n := rapid.IntRange(1, 1500).Draw(rt, "values")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 3))
		v := &Values{Leaf: types.LeafText, Rows: n}
		v.Vec.Reset(types.Of(types.Text))
		for range n {
			var s []byte
			for range r.IntN(9) {
				s = append(s, parts[r.IntN(len(parts))]...)
			}
			v.Vec.AppendBytes(s)
		}
		var e Encoder
		e.fsst.take(&v.Vec)
		e.fsst.train()
		data := e.appendFSST([]byte{presentAll<<6 | encFSST}, &v.Vec)
		c, err := Open(v.Leaf, n, n, data)
		if err != nil {
			rt.Fatal(err)
		}
		requireRoundTrip(t, v, data, c)
		for range 3 { // equality compares codes: it must find the value wherever it is
			p := &column.Pred{Op: column.OpEq, Leaf: v.Leaf, B: v.Vec.Bytes(r.IntN(n))}
			f, err := c.NewFilter(p)
			if err != nil {
				rt.Fatal(err)
			}
			if n <= blockValues {
				requireFilterAgrees(t, r, f, p, data, &v.Vec, &vec.Vector{}, [2]int{0, n})
			}
		}
	})
}

// TestSymbolsOfAllLengthsAreFoundLongestFirst: the one form that a text has is what equality stands on.
func TestSymbolsOfAllLengthsAreFoundLongestFirst(t *testing.T) {
	var m matcher
	text := "abcdefgh"
	var syms []symbol
	for n := 1; n <= len(text); n++ {
		syms = append(syms, symbol{loadTail([]byte(text[:n]), 0), uint8(n)})
	}
	m.set(syms)
	for n := 1; n <= len(text); n++ {
		if got := m.encode(nil, []byte(text[:n])); !bytes.Equal(got, []byte{byte(n - 1)}) {
			t.Errorf("%q is %v", text[:n], got)
		}
		if got := m.encode(nil, []byte(text[:n]+"\x00")); !bytes.Equal(got, []byte{byte(n - 1), fsstEscape, 0}) {
			t.Errorf("%q and a zero byte is %v", text[:n], got)
		}
	}
}

// TestLongTextsAreDecodedAcrossStretches: an escape and its byte may lie on both sides of the boundary.
func TestLongTextsAreDecodedAcrossStretches(t *testing.T) {
	var tab symbols
	tab.n, tab.val[0], tab.len[0] = 1, 'a', 1
	for lead := fsstStretch - 3; lead < fsstStretch+3; lead++ {
		codes := append(make([]byte, lead), fsstEscape, 'x', 0, fsstEscape, fsstEscape)
		got, err := tab.decode(nil, codes)
		if want := strings.Repeat("a", lead) + "xa\xff"; err != nil || string(got) != want {
			t.Fatalf("%d codes before: %d bytes, %v", lead, len(got), err)
		}
		if _, err := tab.decode(nil, append(make([]byte, lead), fsstEscape)); err == nil {
			t.Fatalf("%d codes and an escape without a byte are accepted", lead)
		}
	}
	if _, err := tab.decode(nil, []byte{0, 1}); err == nil {
		t.Fatal("a code without a symbol is accepted")
	}
}

func TestTimesComeBackByteByByte(t *testing.T) {
	r := newRand(11)
	for _, shape := range []string{"2006-01-02T15:04:05Z", "2006-01-02 15:04:05", "2006-01-02T15:04:05.0-07:00", "2006-01-02T15:04:05.000000Z", "2006-01-02T15:04:05-07:00"} {
		var vals []string
		for range 2000 {
			at := time.Unix(r.Int64N(253402300799+62135596800)-62135596800, r.Int64N(1e9)).In(time.FixedZone("", (r.IntN(2*1439)-1439)*60))
			if y := at.Year(); y < 0 || y > 9999 {
				continue
			}
			vals = append(vals, at.Format(shape))
		}
		v := textValues(vals...)
		data, c := mustOpen(t, v, Options{})
		if c.name() != "time" {
			t.Errorf("%s is stored as %s", shape, c.Describe(data))
		}
		requireRoundTrip(t, v, data, c)
	}
}

// TestTextsThatAreNoTimesAreNotTakenForTimes: one such among proper ones.
func TestTextsThatAreNoTimesAreNotTakenForTimes(t *testing.T) {
	for _, odd := range []string{
		"2026-02-29T00:00:00.000Z", "2026-04-31T00:00:00.000Z", "2026-13-01T00:00:00.000Z", "2026-00-01T00:00:00.000Z", "2026-01-00T00:00:00.000Z",
		"2026-01-01T24:00:00.000Z", "2026-01-01T23:60:00.000Z", "2026-01-01T23:59:60.000Z", "2026-01-01t23:59:00.000Z", "2026-01-01T23:59:00,000Z",
		"2026-01-01T23:59:00.00Z", "2026-01-01T23:59:00.0000Z", "2026-01-01T23:59:00.000z", " 026-01-01T23:59:00.000Z", "+026-01-01T23:59:00.000Z",
		"2026-01-01T23:59:00.0\xb90Z", "", "2026-01-01", "2026-01-01T23:59:00.000+00:00", "1900-02-29T00:00:00.000Z",
	} {
		vals := make([]string, 300)
		for i := range vals {
			vals[i] = time.UnixMilli(int64(i) * 977_777).UTC().Format("2006-01-02T15:04:05.000Z")
		}
		vals[77] = odd
		v := textValues(vals...)
		data, c := mustOpen(t, v, Options{})
		if c.name() == "time" {
			t.Errorf("%q is stored as a time", odd)
		}
		requireRoundTrip(t, v, data, c)
	}
	for _, odd := range []string{"-00:00", "+24:00", "+01:60", "01:00:", "+0100 "} {
		v := textValues("2026-01-01T23:59:00+01:00", "2026-01-01T23:59:01"+odd, "2026-01-02T23:59:00+01:00")
		data, c := mustOpen(t, v, Options{})
		if c.name() == "time" {
			t.Errorf("offset %q is stored", odd)
		}
		requireRoundTrip(t, v, data, c)
	}
	for _, nanos := range []string{"1600-01-01T00:00:00.000000000", "2200-01-01T00:00:00.000000000", "9999-12-31T23:59:59.999999999"} {
		v := textValues("1970-01-01T00:00:00.000000000", nanos, "1970-01-01T00:00:00.000000001") // 2^63 ns are 292 years
		data, c := mustOpen(t, v, Options{})
		requireRoundTrip(t, v, data, c)
	}
}

func TestDaysAgreeWithTheCalendar(t *testing.T) {
	for day := firstDay; day <= lastDay; day += 13 {
		at := time.Unix(day*86400, 0).UTC()
		y, m, d := civilFromDays(day)
		if y != at.Year() || m != int(at.Month()) || d != at.Day() || daysFromCivil(y, m, d) != day || daysIn(y, m) < d {
			t.Fatalf("day %d is %d-%d-%d, want %v", day, y, m, d, at)
		}
	}
}

func TestDigestsOfMixedCaseOrLengthStayTexts(t *testing.T) {
	for _, odd := range []string{"0123456789ABCDEf", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeg", ""} {
		vals := []string{"0123456789abcdef", odd, "fedcba9876543210", "00ff00ff00ff00ff"}
		v := textValues(vals...)
		data, c := mustOpen(t, v, Options{})
		if c.name() == "hex" {
			t.Errorf("%q is stored as bytes", odd)
		}
		requireRoundTrip(t, v, data, c)
	}
	v := textValues(strings.Repeat("a", 2*hexMax), strings.Repeat("b", 2*hexMax), strings.Repeat("c", 2*hexMax))
	if _, c := mustOpen(t, v, Options{}); c.name() != "hex" {
		t.Errorf("digests of %d bytes are %s", hexMax, c.name())
	}
	v = textValues(strings.Repeat("a", 2*hexMax+2), strings.Repeat("b", 2*hexMax+2), strings.Repeat("c", 2*hexMax+2))
	if _, c := mustOpen(t, v, Options{}); c.name() == "hex" {
		t.Errorf("digests of %d bytes are stored as bytes", hexMax+1)
	}
}

// rareColumn is a column of channels, one value in 5,000 of which is an odd one.
func rareColumn(n int) *Values {
	r := newRand(5)
	v := &Values{Leaf: types.LeafText, Rows: n}
	v.Vec.Reset(types.Of(types.Text))
	for range n {
		switch x := r.IntN(5000); {
		case x == 0:
			v.Vec.AppendString("esr-" + fmt.Sprint(r.IntN(3)))
		default:
			v.Vec.AppendString([]string{"release", "beta", "nightly", "aurora"}[r.IntN(4)])
		}
	}
	return v
}

func TestRareValuesAreListedWithinTheirBudget(t *testing.T) {
	v := rareColumn(MaxRows)
	data, c := mustOpen(t, v, Options{AlignCodes: true})
	if c.enc != encDictRare || len(c.rare.codes) != 3 {
		t.Fatalf("%s", c.Describe(data))
	}
	if lists := len(data) - MaxRows; lists*rareBudget > len(data) {
		t.Errorf("%d bytes of dictionary and lists in %d", lists, len(data))
	}
	r := newRand(1)
	for _, lit := range []string{"esr-0", "esr-2", "release", "esr-3"} {
		p := &column.Pred{Op: column.OpEq, Leaf: v.Leaf, B: []byte(lit)}
		f, err := c.NewFilter(p)
		if err != nil {
			t.Fatal(err)
		}
		if rare := f.rare != nil; rare != (lit == "esr-0" || lit == "esr-2") {
			t.Errorf("%s: looked up in a list: %v", lit, rare)
		}
		for _, rg := range ranges(r, v.Rows) {
			requireFilterAgrees(t, r, f, p, data, &v.Vec, &vec.Vector{}, rg)
		}
	}
	list := emptyOf(v.Leaf)
	list.AppendString("esr-1")
	list.AppendString("esr-2")
	p := &column.Pred{Op: column.OpIn, Leaf: v.Leaf, List: list}
	f, err := c.NewFilter(p)
	if err != nil || len(f.rare) != 2 {
		t.Fatalf("%v, %d lists", err, len(f.rare))
	}
	requireFilterAgrees(t, r, f, p, data, &v.Vec, &vec.Vector{}, [2]int{1024, 2048})
}

// TestARememberedChoiceIsKeptUntilItDrifts: seven groups go by the first one's choice, and a group unlike them does not.
func TestARememberedChoiceIsKeptUntilItDrifts(t *testing.T) {
	var e Encoder
	var s State
	urls := &shapes[shapeIndex("text urls")]
	encode := func(v *Values) *Chunk {
		data, err := e.Encode(nil, v, Options{State: &s})
		if err != nil {
			t.Fatal(err)
		}
		c, err := Open(v.Leaf, v.Rows, v.Present(), data)
		if err != nil {
			t.Fatal(err)
		}
		requireRoundTrip(t, v, data, c)
		return c
	}
	for i := range 2 * retryGroups {
		if c := encode(urls.build(newRand(uint64(i)), 2000, 1000)); c.name() != "stems" {
			t.Fatalf("group %d: %s", i, c.name())
		}
		if want := uint8(retryGroups - 1 - i%retryGroups); s.left != want {
			t.Fatalf("group %d: %d more before a trial, want %d", i, s.left, want)
		}
	}
	encode(urls.build(newRand(99), 2000, 1000))
	few := shapes[shapeIndex("text few")].build(newRand(3), 2000, 1000)
	if c := encode(few); c.name() != "dict" {
		t.Errorf("5 different texts after addresses: %s", c.name())
	}
	if c := encode(shapes[shapeIndex("text times")].build(newRand(4), 2000, 1000)); c.name() != "time" {
		t.Errorf("times after few texts: %s", c.name())
	}
	if c := encode(urls.build(newRand(5), 2000, 1000)); c.name() != "stems" {
		t.Errorf("addresses after times: %s", c.name())
	}
}

func shapeIndex(name string) int {
	for i := range shapes {
		if shapes[i].name == name {
			return i
		}
	}
	panic("no shape " + name)
}

// BenchmarkFilterRare compares looking a rare value up in its list with reading the codes for it.
func BenchmarkFilterRare(b *testing.B) {
	v := rareColumn(MaxRows)
	data, c := mustOpen(b, v, Options{AlignCodes: true})
	for _, how := range []string{"list", "codes"} {
		f, err := c.NewFilter(&column.Pred{Op: column.OpEq, Leaf: v.Leaf, B: []byte("esr-1")})
		if err != nil {
			b.Fatal(err)
		}
		if how == "codes" {
			f.rare = nil
		}
		sel := vec.MakeBitmap(blockValues)
		b.Run(how, func(b *testing.B) {
			for b.Loop() {
				for from := 0; from < v.Rows; from += blockValues {
					sel.Fill(blockValues)
					if err := f.Filter(data, from, from+blockValues, sel); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(v.Rows), "ns/row")
		})
	}
}

// BenchmarkRatioOf finds the ratios of means, and that there are none of other doubles.
func BenchmarkRatioOf(b *testing.B) {
	r := newRand(1)
	means, others := make([]float64, blockValues), make([]float64, blockValues)
	for i := range means {
		means[i], others[i] = float64(r.IntN(80000))/float64(1+r.IntN(32)), r.Float64()*80000
	}
	for name, vals := range map[string][]float64{"means": means, "others": others} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for _, v := range vals {
					ratioOf(v)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*blockValues), "ns/value")
		})
	}
}
