package shell

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
)

func TestStatementsEndAtASemicolonOutsideQuotes(t *testing.T) {
	for text, want := range map[string]bool{
		"select 1;":                   true,
		"select 1":                    false,
		"select ';'":                  false,
		"select ';';":                 true,
		`select ";" -- ;`:             false,
		"select 1; -- done":           true,
		"select /* ; */ 1":            false,
		"select /* a /* b */ ; */ 1;": true,
		"select $x$ ; $x$":            false,
		"select $x$ ; $x$;":           true,
		`select E'\';'`:               false,
		`select E'\'';`:               true,
		"create rule (a; b":           false,
		"":                            false,
	} {
		if got := complete(text); got != want {
			t.Errorf("complete(%q) = %v", text, got)
		}
	}
}

func TestBlankTextIsNoStatement(t *testing.T) {
	for text, want := range map[string]bool{"": true, " \n-- x": true, "/* */": true, ";": false, "a": false, "/* ": false} {
		if got := blank(text); got != want {
			t.Errorf("blank(%q) = %v", text, got)
		}
	}
}

// canned is a Target with one answer.
type canned struct{ rows [][]string }

func (c canned) Run(_ context.Context, query string, sink func(Result) error) error {
	if strings.Contains(query, "fail") {
		return &Failure{Code: "42601", Message: "syntax error", Position: strings.Index(query, "fail") + 1, Hint: "do not"}
	}
	i := 0
	return sink(Result{
		Columns: []Column{{Name: "name"}, {Name: "n", Right: true}},
		Tag:     func() string { return "SELECT" },
		Next: func() ([][]byte, error) {
			if i == len(c.rows) {
				return nil, io.EOF
			}
			var row [][]byte
			for _, v := range c.rows[i] {
				row = append(row, []byte(v))
			}
			i++
			return row, nil
		},
	})
}

func (canned) Close() error { return nil }

func TestOutputLooksLikePsql(t *testing.T) {
	var out, errs bytes.Buffer
	s := &Shell{Target: canned{[][]string{{"ünï", "1"}, {"two\nlines", "20"}}}, Out: &out, Err: &errs}
	if err := s.Exec("select"); err != nil {
		t.Fatal(err)
	}
	want := " name  | n  \n-------+----\n ünï   |  1\n two  +| 20\n lines |   \n(2 rows)\n\n"
	got := strings.ReplaceAll(out.String(), "| n\n", "| n  \n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	out.Reset()
	s.CSV = true
	if err := s.Exec("select"); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "name,n\nünï,1\n\"two\nlines\",20\n" {
		t.Errorf("csv: %q", got)
	}
	if err := s.Exec("select\n fail"); err == nil {
		t.Fatal("no error")
	}
	if got := errs.String(); got != "ERROR:  42601: syntax error\nLINE 2:  fail\n         ^\nHINT:  do not\n" {
		t.Errorf("error: %q", got)
	}
}
