package flat

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/telemdb/telemdb/bench/workload"
	"github.com/telemdb/telemdb/bench/workload/draw"
)

// The channels, most used first.
const (
	release = iota
	beta
	esr
	nightly
	aurora
)

var channels = []string{"release", "beta", "esr", "nightly", "aurora"}

// A train is how a channel's builds follow each other: one every so many half days, from so many days before the first.
var trains = [...]struct{ every, before int }{
	release: {14, 140},
	beta:    {6, 70},
	esr:     {56, 250},
	nightly: {1, 30},
	aurora:  {4, 60},
}

// build is one build of a channel. half is when it came out, in half days since firstDay.
type build struct {
	id, version, channel string
	half                 int
}

// buildsOf are the builds of each channel, oldest first.
var buildsOf = func() (all [len(trains)][]build) {
	for c, t := range trains {
		for half := -2 * t.before; half < 2*days; half += t.every {
			all[c] = append(all[c], newBuild(c, half, len(all[c])))
		}
	}
	return all
}()

func newBuild(channel, half, n int) build {
	day := int64(firstDay + (half-(half&1))/2)
	hour := 9 + 12*(half&1)
	date := draw.Date(nil, day)
	id := fmt.Sprintf("%s%s%s%02d%02d%02d", date[:4], date[5:7], date[8:], hour, (n*7+channel*13)%60, (n*31+channel)%60)
	major := 148 + (half+2*140)/56
	var version string
	switch channel {
	case release:
		version = fmt.Sprintf("%d.0.%d", major-5, n%4)
	case beta:
		version = fmt.Sprintf("%d.0b%d", major-4, 1+n%9)
	case esr:
		version = fmt.Sprintf("140.%d.0esr", n)
	case nightly:
		version = fmt.Sprintf("%d.0a1", major-3)
	case aurora:
		version = fmt.Sprintf("%d.0b%d", major-4, 1+n%14)
	}
	return build{id: id, version: version, channel: channels[channel], half: half}
}

// buildAt is the newest build of a channel that was out at a time in half days, the oldest if none was.
func buildAt(channel, half int) *build {
	t := trains[channel]
	i := max(half+2*t.before, 0) / t.every
	return &buildsOf[channel][min(i, len(buildsOf[channel])-1)]
}

func allBuilds() []build {
	var out []build
	for _, bs := range buildsOf {
		out = append(out, bs...)
	}
	slices.SortFunc(out, func(a, b build) int { return cmp.Compare(a.id, b.id) })
	return out
}

// buildsTable is a dimension table: what a build id stands for.
func buildsTable() workload.Table {
	all := allBuilds()
	return workload.Table{
		Name: "builds",
		Columns: []workload.Column{
			of("build_id", "text NOT NULL", "VARCHAR NOT NULL", "String"),
			of("build_channel", "text NOT NULL", "VARCHAR NOT NULL", "String"),
			of("version", "text NOT NULL", "VARCHAR NOT NULL", "String"),
			date("released"),
		},
		SortKey: []string{"build_id"},
		Rows:    func(int64) int64 { return int64(len(all)) },
		CSV: func(w io.Writer, _ int64, shard, of int) error {
			var buf []byte
			for _, b := range all[len(all)*shard/of : len(all)*(shard+1)/of] {
				buf = append(append(append(buf, b.id...), ','), b.channel...)
				buf = append(append(append(buf, ','), b.version...), ',')
				buf = append(draw.Date(buf, int64(firstDay+(b.half-(b.half&1))/2)), '\n')
			}
			_, err := w.Write(buf)
			return err
		},
	}
}
