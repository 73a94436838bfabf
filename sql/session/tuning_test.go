package session

import (
	"reflect"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/engine/op"
)

// knobs are the fields of an Env that change how plans run: the numbers and the truths, those of structs in it too. The memory
// of a query is none of them.
func knobs(v reflect.Value, prefix string, each func(name string, zero bool)) {
	for i := range v.NumField() {
		f, name := v.Field(i), prefix+v.Type().Field(i).Name
		switch {
		case f.Kind() == reflect.Struct:
			knobs(f, name+".", each)
		case (f.Kind() == reflect.Bool || f.CanInt()) && name != "Memory":
			each(name, f.IsZero())
		}
	}
}

// TestEverySwitchOfTheOperatorsHasASettingOfItsOwn holds the settings against the switches: bench/workload and sql/oracle ask
// in all modes that settings make, so a switch without one would be tried by nobody.
func TestEverySwitchOfTheOperatorsHasASettingOfItsOwn(t *testing.T) {
	by := map[string]string{}
	for _, d := range settingTable {
		if !strings.HasPrefix(d.name, "telemdb.") || d.name == "telemdb.optimizer_off" {
			continue // that one is for the optimiser, before there is an Env
		}
		c := &conn{set: newSettings()}
		for _, name := range []string{"telemdb.worker_rows", "telemdb.soon_groups"} { // they are not 0 from the start
			if err := c.set.reset(name, map[string]string{name: "0"}); err != nil {
				t.Fatal(err)
			}
		}
		value := map[string]string{"bool": "on", "integer": "7"}[d.typ]
		if d.initial == "on" {
			value = "off"
		}
		if _, err := c.set.set(d.name, value, false); err != nil {
			t.Fatal(err)
		}
		var env op.Env
		c.tune(&env)
		n := 0
		knobs(reflect.ValueOf(env), "", func(name string, zero bool) {
			if !zero {
				by[name] = d.name
				n++
			}
		})
		if n != 1 {
			t.Errorf("SET %s changes %d switches, want 1", d.name, n)
		}
	}
	knobs(reflect.ValueOf(op.Env{}), "", func(name string, _ bool) {
		if by[name] == "" {
			t.Errorf("no setting reaches op.Env.%s", name)
		}
	})
}
