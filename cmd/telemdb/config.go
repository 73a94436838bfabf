package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every option is a flag, an environment variable TELEMDB_NAME and a key of a TOML file, in this order of precedence:
// --http, TELEMDB_HTTP, http = "…" in the file that --config or TELEMDB_CONFIG names.

const configFlag = "config"

// envName is the environment variable of a flag.
func envName(flag string) string {
	return "TELEMDB_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// applyConfig sets the flags of cmd that were not given on the command line, from the environment and the config file.
func applyConfig(cmd *cobra.Command) error {
	flags := cmd.Flags()
	file, err := readConfig(flags)
	if err != nil {
		return err
	}
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || f.Name == configFlag {
			return
		}
		value, from, ok := "", "", false
		if v, set := os.LookupEnv(envName(f.Name)); set {
			value, from, ok = v, "environment variable "+envName(f.Name), true
		} else if v, set := file[f.Name]; set {
			value, from, ok = fmt.Sprint(v), "config file key "+f.Name, true
		}
		if ok {
			if err := flags.Set(f.Name, value); err != nil {
				errs = append(errs, fmt.Errorf("%s: %q is not valid: %w", from, value, err))
			}
		}
	})
	return errors.Join(errs...)
}

// readConfig reads the TOML file, if one is named. A key that no command knows is an error: a misspelt option must not
// be silently without effect.
func readConfig(flags *pflag.FlagSet) (map[string]any, error) {
	f := flags.Lookup(configFlag)
	if f == nil {
		return nil, nil
	}
	name := f.Value.String()
	if !f.Changed {
		if v, ok := os.LookupEnv(envName(configFlag)); ok {
			name = v
		}
	}
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("config file: %w", err)
	}
	var keys map[string]any
	if err := toml.Unmarshal(text, &keys); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			row, col := at.Position()
			return nil, fmt.Errorf("config file %s, line %d column %d: %w", name, row, col, err)
		}
		return nil, fmt.Errorf("config file %s: %w", name, err)
	}
	for k := range keys {
		if !knownOptions[k] {
			return nil, fmt.Errorf("config file %s: no option is called %q", name, k)
		}
	}
	return keys, nil
}

// knownOptions are the flags of all commands; addCommand fills it.
var knownOptions = map[string]bool{}

func learnOptions(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) { knownOptions[f.Name] = true })
	for _, c := range cmd.Commands() {
		learnOptions(c)
	}
}
