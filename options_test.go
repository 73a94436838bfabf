package telemdb

import (
	"strings"
	"testing"
	"time"
)

func TestOptionsAreTakenAtTheirLeastAndRefusedBelow(t *testing.T) {
	for _, c := range []struct {
		setting, value string
		set            func(*Options)
		refused        bool
	}{
		{"landfill.retention", "1m0s", func(o *Options) { o.LandfillKeep = time.Minute }, false},
		{"landfill.retention", "-1ns", func(o *Options) { o.LandfillKeep = -1 }, false},
		{"landfill.retention", "", func(o *Options) { o.LandfillKeep = time.Minute - 1 }, true},
		{"landfill.max_bytes", "1000", func(o *Options) { o.LandfillMaxBytes = 1000 }, false},
		{"scrub.interval", "1m0s", func(o *Options) { o.ScrubInterval = time.Minute }, false},
		{"scrub.interval", "1m0.000000001s", func(o *Options) { o.ScrubInterval = time.Minute + 1 }, false},
		{"scrub.interval", "-1ns", func(o *Options) { o.ScrubInterval = -1 }, false},
		{"scrub.interval", "", func(o *Options) { o.ScrubInterval = time.Minute - 1 }, true},
		{"scrub.bytes_per_second", "65536", func(o *Options) { o.ScrubBytesPerSecond = 64 << 10 }, false},
		{"scrub.bytes_per_second", "65537", func(o *Options) { o.ScrubBytesPerSecond = 64<<10 + 1 }, false},
		{"scrub.bytes_per_second", "-1", func(o *Options) { o.ScrubBytesPerSecond = -1 }, false},
		{"scrub.bytes_per_second", "", func(o *Options) { o.ScrubBytesPerSecond = 64<<10 - 1 }, true},
		{"files.max_open", "32", func(o *Options) { o.FilesMaxOpen = 32 }, false},
		{"files.max_open", "33", func(o *Options) { o.FilesMaxOpen = 33 }, false},
		{"files.max_open", "", func(o *Options) { o.FilesMaxOpen = 31 }, true},
		{"compaction.memory", "33554432", func(o *Options) { o.CompactionMemory = 32 << 20 }, false},
		{"compaction.memory", "33554433", func(o *Options) { o.CompactionMemory = 32<<20 + 1 }, false},
		{"compaction.memory", "", func(o *Options) { o.CompactionMemory = 32<<20 - 1 }, true},
	} {
		o := Options{}
		c.set(&o)
		db, err := Open("", o)
		if c.refused {
			if err == nil || !strings.Contains(err.Error(), c.setting+" is ") {
				t.Errorf("below the least of %s: %v", c.setting, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %s: %v", c.setting, c.value, err)
			continue
		}
		var value string
		askRow(t, db, "SELECT value FROM telemdb.settings WHERE name = '"+c.setting+"'", &value)
		if value != c.value {
			t.Errorf("%s is shown as %s, want %s", c.setting, value, c.value)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
