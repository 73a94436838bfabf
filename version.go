package telemdb

import (
	"runtime"
	"runtime/debug"
)

// Version tells what was built.
type Version struct {
	Version string // the module's version, "devel" for a working tree
	Commit  string // "unknown" outside a checkout
	Go      string // "go1.26 linux/amd64"
}

// ReadVersion reads the version that the Go tool stamped into the binary.
func ReadVersion() Version {
	v := Version{Version: "devel", Commit: "unknown", Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Commit = s.Value
		}
	}
	return v
}
