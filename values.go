package telemdb

import (
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/telemdb/telemdb/engine/datum"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// arguments turns Go values into the one-row vectors of a statement's parameters.
func arguments(params []types.Type, args []any) ([]*vec.Vector, error) {
	if len(args) != len(params) {
		return nil, sqlstate.New(sqlstate.ProtocolViolation, "the statement has %d parameters, %d values were given", len(params), len(args))
	}
	out := make([]*vec.Vector, len(args))
	for i, a := range args {
		v := &vec.Vector{}
		v.Reset(params[i])
		if err := appendArgument(v, params[i], a); err != nil {
			return nil, fmt.Errorf("parameter $%d: %w", i+1, err)
		}
		out[i] = v
	}
	return out, nil
}

func appendArgument(v *vec.Vector, t types.Type, a any) error {
	text, null, err := argumentText(a)
	switch {
	case err != nil:
		return err
	case null:
		v.AppendNull()
		return nil
	}
	return datum.ParseText(t, []byte(text), nil, v)
}

// argumentText is the text form of a Go value, which the type of the parameter then reads.
func argumentText(a any) (text string, null bool, err error) {
	switch x := a.(type) {
	case nil:
		return "", true, nil
	case string:
		return x, false, nil
	case []byte:
		if x == nil {
			return "", true, nil
		}
		return `\x` + hex.EncodeToString(x), false, nil
	case time.Time:
		return x.Format("2006-01-02 15:04:05.999999999Z07:00"), false, nil
	case fmt.Stringer:
		return x.String(), false, nil
	}
	switch r := reflect.ValueOf(a); r.Kind() {
	case reflect.Pointer:
		if r.IsNil() {
			return "", true, nil
		}
		return argumentText(r.Elem().Interface())
	case reflect.Bool:
		return strconv.FormatBool(r.Bool()), false, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(r.Int(), 10), false, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(r.Uint(), 10), false, nil
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(r.Float(), 'g', -1, 64), false, nil
	case reflect.String:
		return r.String(), false, nil
	}
	return "", false, fmt.Errorf("a value of Go type %T cannot be sent", a)
}

// goValue is the Go form of a SQL value: nil, bool, int64, float64, string, []byte or time.Time.
func goValue(v *vec.Vector, i int) any {
	if v.Null(i) {
		return nil
	}
	switch v.Type.Kind {
	case types.Bool:
		return v.Bool(i)
	case types.Int16, types.Int32, types.Int64, types.OID:
		return v.Int(i)
	case types.Float32, types.Float64:
		return v.Float(i)
	case types.Bytea:
		return append([]byte{}, v.Bytes(i)...)
	case types.Date:
		if d := v.Int(i); d != math.MinInt64 && d != math.MaxInt64 {
			return time.Unix(d*86400, 0).UTC()
		}
	case types.Timestamp, types.Timestamptz:
		if us := v.Int(i); us != math.MinInt64 && us != math.MaxInt64 {
			return time.UnixMicro(us).UTC()
		}
	case types.UUID:
		if u, err := uuid.FromBytes(v.Bytes(i)); err == nil {
			return u.String()
		}
	}
	return string(datum.AppendText(nil, v, i, nil))
}

// scanInto stores a value in *dest.
func scanInto(dest any, value any) error {
	if d, ok := dest.(*any); ok {
		*d = value
		return nil
	}
	if d, ok := dest.(interface{ Scan(any) error }); ok {
		return d.Scan(value)
	}
	p := reflect.ValueOf(dest)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("destination is a %T, not a pointer", dest)
	}
	return assign(p.Elem(), value)
}

func assign(to reflect.Value, value any) error {
	if value == nil {
		if k := to.Kind(); k == reflect.Pointer || k == reflect.Interface || k == reflect.Slice {
			to.SetZero()
			return nil
		}
		return fmt.Errorf("NULL cannot be stored in a %s; use a pointer", to.Type())
	}
	if to.Kind() == reflect.Pointer {
		e := reflect.New(to.Type().Elem())
		if err := assign(e.Elem(), value); err != nil {
			return err
		}
		to.Set(e)
		return nil
	}
	from := reflect.ValueOf(value)
	switch {
	case from.Type().AssignableTo(to.Type()):
		to.Set(from)
		return nil
	case to.Kind() == reflect.String && from.Kind() == reflect.String:
		to.SetString(from.String())
		return nil
	case to.Kind() == reflect.String:
		to.SetString(fmt.Sprint(value))
		return nil
	case to.CanInt() && from.CanInt() && !to.OverflowInt(from.Int()):
		to.SetInt(from.Int())
		return nil
	case to.CanFloat() && from.CanFloat():
		to.SetFloat(from.Float())
		return nil
	case to.CanFloat() && from.CanInt():
		to.SetFloat(float64(from.Int()))
		return nil
	case from.Kind() == reflect.String:
		return assignText(to, from.String())
	}
	return fmt.Errorf("a %T cannot be stored in a %s", value, to.Type())
}

// assignText reads numerics, which arrive as text, into numbers.
func assignText(to reflect.Value, s string) error {
	switch {
	case to.CanInt():
		n, err := strconv.ParseInt(s, 10, to.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q cannot be stored in a %s", s, to.Type())
		}
		to.SetInt(n)
		return nil
	case to.CanFloat():
		f, err := strconv.ParseFloat(s, to.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q cannot be stored in a %s", s, to.Type())
		}
		to.SetFloat(f)
		return nil
	case to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8:
		to.SetBytes([]byte(s))
		return nil
	}
	return fmt.Errorf("text cannot be stored in a %s", to.Type())
}
