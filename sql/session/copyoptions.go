package session

import (
	"slices"
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
	forced     []ast.Option // FORCE_…, whose columns are not known yet
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
	if err := o.fits(opt, from); err != nil {
		return err
	}
	switch opt.Name {
	case "format", "freeze":
		return nil
	case "encoding":
		if _, err := checkEncoding(opt.Value); err != nil {
			return sqlstate.New(sqlstate.FeatureNotSupported, "COPY encoding \"%s\" is not supported", opt.Value).At(opt.Pos()).
				WithHint("UTF8 is the only encoding. Convert the data, for example with iconv.")
		}
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

// fits refuses an option of the csv format in another one, and one of the other direction.
func (o *copyOptions) fits(opt ast.Option, from bool) error {
	name := strings.ReplaceAll(opt.Name, "_", " ")
	onlyFrom := opt.Name == "force_null" || opt.Name == "force_not_null"
	switch {
	case opt.Name != "quote" && opt.Name != "escape" && opt.Name != "force_quote" && !onlyFrom:
		return nil
	case !o.csv:
		return sqlstate.New(sqlstate.FeatureNotSupported, "COPY %s available only in CSV mode", name).At(opt.Pos())
	case onlyFrom && !from:
		return sqlstate.New(sqlstate.FeatureNotSupported, "COPY %s only available using COPY FROM", name).At(opt.Pos())
	case opt.Name == "force_quote" && from:
		return sqlstate.New(sqlstate.FeatureNotSupported, "COPY force quote only available using COPY TO").At(opt.Pos())
	}
	if opt.Name != "quote" && opt.Name != "escape" {
		o.forced = append(o.forced, opt)
	}
	return nil
}

// checkForced refuses FORCE_… of what is none of the columns that are copied.
func (o *copyOptions) checkForced(columns []string) error {
	for _, opt := range o.forced {
		for _, name := range opt.List {
			if !slices.Contains(columns, name) {
				return sqlstate.New(sqlstate.InvalidColumnReference, "%s column \"%s\" not referenced by COPY", strings.ToUpper(opt.Name), name).At(opt.Pos())
			}
		}
	}
	return nil
}

func (o *copyOptions) headerOption(opt ast.Option, from bool) error {
	if !opt.Has {
		o.header = true
		return nil
	}
	if strings.EqualFold(opt.Value, "match") && !from {
		return sqlstate.New(sqlstate.FeatureNotSupported, "cannot use \"match\" with HEADER in COPY TO").At(opt.Pos())
	}
	if strings.EqualFold(opt.Value, "match") {
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
	case o.csv && strings.IndexByte(o.null, o.quote) >= 0:
		return sqlstate.New(sqlstate.FeatureNotSupported, "CSV quote character must not appear in the NULL specification")
	case strings.IndexByte(o.null, o.delim) >= 0:
		return sqlstate.New(sqlstate.FeatureNotSupported, "COPY delimiter must not appear in the NULL specification")
	}
	return nil
}
