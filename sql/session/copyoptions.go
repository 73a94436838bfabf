package session

import (
	"strings"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/sql/ast"
)

// copyOptions is how COPY reads and writes rows.
type copyOptions struct {
	csv        bool
	binary     bool
	delim      byte
	null       string
	quote      byte
	escape     byte
	header     bool
	match      bool // HEADER match: the first line must name the columns
	forceQuote map[string]bool
	quoteAll   bool
	forceNull  map[string]bool
	notNull    map[string]bool
}

func parseCopyOptions(os []ast.Option, from bool) (*copyOptions, error) {
	o := &copyOptions{delim: '\t', null: `\N`, quote: '"'}
	seen := map[string]string{}
	for _, opt := range os {
		if _, dup := seen[opt.Name]; dup {
			return nil, sqlstate.New(sqlstate.Syntax, "conflicting or redundant options").At(opt.Pos())
		}
		seen[opt.Name] = opt.Value
		if opt.Name == "format" {
			if err := o.format(opt); err != nil {
				return nil, err
			}
		}
	}
	if o.csv {
		o.delim, o.null, o.escape = ',', "", '"'
	}
	for _, opt := range os {
		if err := o.apply(opt, from); err != nil {
			return nil, err
		}
	}
	if _, given := seen["escape"]; !given {
		o.escape = o.quote
	}
	return o, o.check()
}

func (o *copyOptions) format(opt ast.Option) error {
	switch strings.ToLower(opt.Value) {
	case "text":
	case "csv":
		o.csv = true
	case "binary":
		o.binary = true
	default:
		return sqlstate.New(sqlstate.InvalidParameter, "COPY format \"%s\" not recognized", opt.Value).At(opt.Pos())
	}
	return nil
}

func (o *copyOptions) apply(opt ast.Option, from bool) error {
	if o.binary && opt.Name != "format" && opt.Name != "freeze" {
		return sqlstate.New(sqlstate.Syntax, "cannot specify %s in BINARY mode", strings.ToUpper(opt.Name)).At(opt.Pos())
	}
	one := func(what string, dst *byte) error {
		if len(opt.Value) != 1 {
			return sqlstate.New(sqlstate.FeatureNotSupported, "COPY %s must be a single one-byte character", what).At(opt.Pos())
		}
		*dst = opt.Value[0]
		return nil
	}
	switch opt.Name {
	case "format", "freeze", "encoding":
		return nil
	case "delimiter":
		return one("delimiter", &o.delim)
	case "quote":
		return one("quote", &o.quote)
	case "escape":
		return one("escape", &o.escape)
	case "null":
		o.null = opt.Value
		return nil
	case "header":
		return o.headerOption(opt, from)
	case "force_quote":
		o.quoteAll = opt.Value == "*"
		o.forceQuote = nameSet(opt.List)
		return nil
	case "force_null":
		o.forceNull = nameSet(opt.List)
		return nil
	case "force_not_null":
		o.notNull = nameSet(opt.List)
		return nil
	}
	return sqlstate.New(sqlstate.Syntax, "option \"%s\" not recognized", opt.Name).At(opt.Pos())
}

func (o *copyOptions) headerOption(opt ast.Option, from bool) error {
	if !opt.Has {
		o.header = true
		return nil
	}
	if strings.EqualFold(opt.Value, "match") && from {
		o.header, o.match = true, true
		return nil
	}
	b, ok := datum.ParseBool([]byte(opt.Value))
	if !ok {
		return sqlstate.New(sqlstate.Syntax, "header requires a Boolean value or \"match\"").At(opt.Pos())
	}
	o.header = b
	return nil
}

func nameSet(names []string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out
}

func (o *copyOptions) check() error {
	switch {
	case o.delim == '\n' || o.delim == '\r':
		return sqlstate.New(sqlstate.InvalidParameter, "COPY delimiter cannot be newline or carriage return")
	case strings.ContainsAny(o.null, "\r\n"):
		return sqlstate.New(sqlstate.InvalidParameter, "COPY null representation cannot use newline or carriage return")
	case !o.csv && (o.delim >= 'a' && o.delim <= 'z' || o.delim >= '0' && o.delim <= '9' || o.delim == '\\' || o.delim == '.'):
		return sqlstate.New(sqlstate.InvalidParameter, "COPY delimiter cannot be \"%c\"", o.delim)
	case o.csv && o.delim == o.quote:
		return sqlstate.New(sqlstate.InvalidParameter, "COPY delimiter and quote must be different")
	case strings.IndexByte(o.null, o.delim) >= 0:
		return sqlstate.New(sqlstate.FeatureNotSupported, "COPY delimiter must not appear in the NULL specification")
	}
	return nil
}
