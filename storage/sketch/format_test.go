package sketch

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/valyala/fastjson"
)

// TestTheExampleOfTheFormatIsWhatIsWritten holds FORMAT.md to the code.
func TestTheExampleOfTheFormatIsWhatIsWritten(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	h, err := Parse("10;1;2628;1,100;0:12434,1:297,13:8")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("% x", h.AppendTo(nil)); !strings.Contains(string(text), got) {
		t.Errorf("FORMAT.md does not show %s", got)
	}
}

// TestTextFormsAreRead covers the encodings in which warehouses hold histograms (ingestion.md 18.5).
func TestTextFormsAreRead(t *testing.T) {
	for in, want := range map[string]string{
		`{"bucket_count":10,"histogram_type":1,"sum":2628,"range":[1,100],"values":{"13":8,"0":12434,"1":297},"log_sum":0}`: "10;1;2628;1,100;0:12434,1:297,13:8",
		"51;1;0;1,50;": "51;1;0;1,50;",
		"0,31":         "3;2;31;1,2;0:0,1:31,2:0",
		"37":           "3;4;37;1,2;0:37,1:0",
	} {
		h, err := Parse(in)
		if err != nil || h.String() != want {
			t.Errorf("Parse(%q) = %v, %v; want %s", in, h, err, want)
		}
	}
	for _, in := range []string{"", "x", "1,2,3", "1;2", "10;1;-5;1,100;0:1", "10;1;5;1,100;0:1,0:2", "10;1;5;1,100;0:-1", `{"sum":1}`, `{"sum":1.5,"histogram_type":1,"values":{}}`} {
		if h, err := Parse(in); err == nil {
			t.Errorf("Parse(%q) = %v", in, h)
		}
	}
}

// TestBoundsFollowThePublishedExamples uses the worked examples of ingestion.md 18.2.
func TestBoundsFollowThePublishedExamples(t *testing.T) {
	for _, c := range []struct {
		l    Layout
		want string
	}{
		{Layout{TypeExponential, 10, 50, 500}, "[0 50 67 89 119 159 212 282 375 500]"},
		{Layout{TypeExponential, 20, 1, 1000}, "[0 1 2 3 4 6 9 13 19 27 39 56 80 115 165 237 340 487 698 1000]"},
		{Layout{TypeLinear, 10, 1, 100}, "[0 1 13 26 38 51 63 75 88 100]"},
		{Layout{TypeLinear, 5, 1, 10}, "[0 1 4 7 10]"},
		{Layout{TypeBoolean, 3, 1, 2}, "[0 1 2]"},
		{Layout{TypeExponential, 33, 1, 0}, "[]"}, // hang statistics: no formula, never log of zero
	} {
		if got := fmt.Sprint(c.l.Bounds()); got != c.want {
			t.Errorf("%v: %s, want %s", c.l, got, c.want)
		}
	}
}

// FuzzDecode holds that what decodes encodes back to the same bytes' value, and that nothing else is accepted.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"10;1;2628;1,100;0:12434,1:297,13:8", "3;4;37;1,2;0:37,1:0", "51;1;0;1,50;"} {
		h, err := Parse(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(h.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h, again Histogram
		if h.Decode(b) != nil {
			return
		}
		if err := again.Decode(h.AppendTo(nil)); err != nil || again.String() != h.String() {
			t.Fatalf("%s became %s, %v", h.String(), again.String(), err)
		}
		v, err := fastjson.ParseBytes(h.AppendJSON(nil))
		if err != nil {
			t.Fatal(err)
		}
		if j, err := FromJSON(v); len(h.Buckets) <= maxBuckets && (err != nil || j.String() != h.String()) {
			t.Fatalf("%s as JSON became %v, %v", h.String(), j, err)
		}
	})
}
