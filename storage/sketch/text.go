package sketch

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/valyala/fastjson"
)

// Errors of Parse: what the text is not.
var errText = errors.New("not a histogram")

// String returns the text form, which psql shows and Parse reads:
//
//	bucket_count;type;sum;low,high;bound:count,bound:count
func (h *Histogram) String() string { return string(h.AppendText(nil)) }

// AppendText appends the text form.
func (h *Histogram) AppendText(dst []byte) []byte {
	dst = strconv.AppendInt(dst, int64(h.Layout.Buckets), 10)
	dst = append(dst, ';')
	dst = strconv.AppendInt(dst, int64(h.Layout.Type), 10)
	dst = append(dst, ';')
	dst = strconv.AppendInt(dst, h.Sum, 10)
	dst = append(dst, ';')
	dst = strconv.AppendInt(dst, h.Layout.Low, 10)
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, h.Layout.High, 10)
	dst = append(dst, ';')
	for i, b := range h.Buckets {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, b.Bound, 10)
		dst = append(dst, ':')
		dst = strconv.AppendInt(dst, b.Count, 10)
	}
	return dst
}

// AppendJSON appends the histogram as the object a ping carries, in jsonb's output form.
func (h *Histogram) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"sum": `...)
	dst = appendInt(dst, h.Sum)
	dst = append(dst, `, "range": [`...)
	dst = appendInt(dst, h.Layout.Low)
	dst = append(dst, ", "...)
	dst = appendInt(dst, h.Layout.High)
	dst = append(dst, `], "values": {`...)
	for i, b := range h.jsonbOrder() {
		if i > 0 {
			dst = append(dst, `, "`...)
		} else {
			dst = append(dst, '"')
		}
		dst = appendInt(dst, b.Bound)
		dst = append(dst, `": `...)
		dst = appendInt(dst, b.Count)
	}
	dst = append(dst, `}, "bucket_count": `...)
	dst = appendInt(dst, int64(h.Layout.Buckets))
	dst = append(dst, `, "histogram_type": `...)
	dst = appendInt(dst, int64(h.Layout.Type))
	return append(dst, '}')
}

// appendInt is strconv.AppendInt for base 10, faster for numbers of few digits, which nearly all of a histogram are.
func appendInt(dst []byte, v int64) []byte {
	switch u := uint64(v); {
	case u < 10:
		return append(dst, byte('0'+u))
	case u < 100:
		return append(dst, byte('0'+u/10), byte('0'+u%10))
	case u < 1000:
		return append(dst, byte('0'+u/100), byte('0'+u/10%10), byte('0'+u%10))
	case u < 10_000:
		return append(dst, byte('0'+u/1000), byte('0'+u/100%10), byte('0'+u/10%10), byte('0'+u%10))
	case u < 100_000:
		return append(dst, byte('0'+u/10_000), byte('0'+u/1000%10), byte('0'+u/100%10), byte('0'+u/10%10), byte('0'+u%10))
	}
	return strconv.AppendInt(dst, v, 10)
}

// jsonbOrder returns the buckets in jsonb's key order. Decimal keys without leading zeros sort by length, then bytes,
// exactly as their numbers do, so ascending bounds are in order already.
func (h *Histogram) jsonbOrder() []Bucket { return h.Buckets }

// Parse reads any of the text encodings in which warehouses hold histograms (ingestion.md 18.5): the JSON object, the
// five-field form of String, "a,b" for a boolean and "n" for a count. Unlike the exactness rule of ingest, the JSON form
// may carry other members, which are dropped.
func Parse(s string) (*Histogram, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return nil, errText
	case s[0] == '{':
		v, err := fastjson.Parse(s)
		if err != nil {
			return nil, errText
		}
		return FromJSON(v)
	case strings.Contains(s, ";"):
		return parseFields(strings.Split(s, ";"))
	}
	nums, err := parseInts(s)
	if err != nil {
		return nil, err
	}
	h := &Histogram{Layout: Layout{Buckets: 3, Low: 1, High: 2}}
	switch len(nums) {
	case 1:
		h.Layout.Type, h.Sum, h.Buckets = TypeCount, nums[0], []Bucket{{0, nums[0]}, {1, 0}}
	case 2:
		h.Layout.Type, h.Sum, h.Buckets = TypeBoolean, nums[1], []Bucket{{0, nums[0]}, {1, nums[1]}, {2, 0}}
	default:
		return nil, errText
	}
	return h, nil
}

func parseInts(s string) ([]int64, error) {
	var out []int64
	for f := range strings.SplitSeq(s, ",") {
		n, err := strconv.ParseInt(strings.TrimFunc(f, unicode.IsSpace), 10, 64)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%w: %q is not a count", errText, f)
		}
		out = append(out, n)
	}
	return out, nil
}

func parseFields(f []string) (*Histogram, error) {
	if len(f) != 5 {
		return nil, fmt.Errorf("%w: want 5 fields between semicolons, found %d", errText, len(f))
	}
	n, err1 := strconv.ParseInt(f[0], 10, 32)
	t, err2 := strconv.ParseInt(f[1], 10, 32)
	sum, err3 := strconv.ParseInt(f[2], 10, 64)
	low, high, ok := strings.Cut(f[3], ",")
	lo, err4 := strconv.ParseInt(low, 10, 64)
	hi, err5 := strconv.ParseInt(high, 10, 64)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil || !ok || sum < 0 || n < 0 {
		return nil, fmt.Errorf("%w: the first four fields are bucket_count;type;sum;low,high", errText)
	}
	h := &Histogram{Layout: Layout{int32(t), int32(n), lo, hi}, Sum: sum}
	if f[4] == "" {
		return h, nil
	}
	for p := range strings.SplitSeq(f[4], ",") {
		b, c, ok := strings.Cut(p, ":")
		bound, err1 := strconv.ParseInt(b, 10, 64)
		count, err2 := strconv.ParseInt(c, 10, 64)
		if !ok || err1 != nil || err2 != nil || bound < 0 || count < 0 {
			return nil, fmt.Errorf("%w: %q is not bound:count", errText, p)
		}
		h.Buckets = append(h.Buckets, Bucket{bound, count})
	}
	return h, h.sortBuckets()
}

func (h *Histogram) sortBuckets() error {
	slices.SortFunc(h.Buckets, func(a, b Bucket) int { return cmp.Compare(a.Bound, b.Bound) })
	for i := 1; i < len(h.Buckets); i++ {
		if h.Buckets[i].Bound == h.Buckets[i-1].Bound {
			return fmt.Errorf("%w: bucket %d is listed twice", errText, h.Buckets[i].Bound)
		}
	}
	return nil
}

// FromJSON reads the object a ping carries. Non-integer keys, negative or fractional counts and sums, and a missing
// "values", "sum" or "histogram_type" make it no histogram (ingestion.md 18.3).
func FromJSON(v *fastjson.Value) (*Histogram, error) {
	o, err := v.Object()
	if err != nil {
		return nil, errText
	}
	h := &Histogram{}
	var bad error
	fail := func(what string) { bad = fmt.Errorf("%w: %s", errText, what) }
	num := func(v *fastjson.Value, what string) int64 {
		n, err := v.Int64()
		if err != nil {
			fail(what + " is not an integer")
		}
		return n
	}
	var sawSum, sawType, sawValues bool
	o.Visit(func(key []byte, v *fastjson.Value) {
		switch string(key) {
		case "bucket_count":
			h.Layout.Buckets = clampInt32(num(v, "bucket_count"))
		case "histogram_type":
			h.Layout.Type, sawType = clampInt32(num(v, "histogram_type")), true
		case "sum":
			h.Sum, sawSum = num(v, "sum"), true
		case "range":
			r, err := v.Array()
			if err != nil || len(r) != 2 {
				fail("range is not a pair")
				return
			}
			h.Layout.Low, h.Layout.High = num(r[0], "range"), num(r[1], "range")
		case "values":
			vals, err := v.Object()
			if err != nil {
				fail("values is not an object")
				return
			}
			sawValues = true
			h.Buckets = h.Buckets[:0]
			vals.Visit(func(key []byte, v *fastjson.Value) {
				bound, err := strconv.ParseInt(string(key), 10, 64)
				count := num(v, "a bucket's count")
				if err != nil || bound < 0 || count < 0 {
					fail("bucket " + strconv.Quote(string(key)) + " or its count is not a whole number")
					return
				}
				h.Buckets = append(h.Buckets, Bucket{bound, count})
			})
		}
	})
	if bad == nil && (!sawSum || !sawType || !sawValues || h.Sum < 0 || len(h.Buckets) > maxBuckets) {
		fail("sum, histogram_type or values is missing or out of range")
	}
	if bad != nil {
		return nil, bad
	}
	return h, h.sortBuckets()
}

func clampInt32(n int64) int32 { return int32(min(max(n, math.MinInt32), math.MaxInt32)) }
