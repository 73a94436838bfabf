package gen

import (
	"strconv"
	"time"
)

// mainPing writes the document of a main ping.
func (w *writer) mainPing(g *Generator, d *draft) {
	r := newRNG(d.seed, 3)
	w.open(`{`)
	w.text(`"type":`, "main")
	w.id(`"id":`, d.id)
	w.time(`"creationDate":`, d.creation)
	w.num(`"version":`, 4)
	w.application(d)
	if d.odd == oddPayload {
		w.raw(`"payload":["not","an","object"],`)
	} else {
		w.mainPayload(g, d, &r)
	}
	if d.odd == oddClient {
		w.num(`"clientId":`, int(d.seed>>20))
	} else {
		w.id(`"clientId":`, d.client)
	}
	if d.odd == oddTwice {
		w.id(`"clientId":`, d.client)
	}
	w.id(`"profileGroupId":`, d.group)
	if d.odd == oddEnvironment {
		w.null(`"environment":`)
	} else {
		w.environment(d)
	}
	w.close("}")
}

func (w *writer) mainPayload(g *Generator, d *draft, r *rng) {
	w.open(`"payload":{`)
	w.num(`"ver":`, 4)
	w.simpleMeasurements(d, r)
	w.info(d)
	w.processes(g, d, r)
	w.histograms(g, d, r, procParent)
	w.keyedHistograms(g, d, r, procParent)
	w.slowSQL(r)
	w.addonDetails()
	w.close("}")
}

// simpleMeasurements: milliseconds since the process started, but for totals.
func (w *writer) simpleMeasurements(d *draft, r *rng) {
	slow := 1 + r.skewed(12) // this start, relative to a good one
	at := func(ms int) int { return ms*slow/2 + r.below(ms) }
	total := d.length
	w.open(`"simpleMeasurements":{`)
	w.num(`"totalTime":`, int(time.Duration(total).Seconds())*2)
	w.num(`"uptime":`, int(time.Duration(total).Minutes()))
	w.num(`"start":`, at(20))
	w.num(`"main":`, at(60))
	w.num(`"selectProfile":`, at(110))
	w.num(`"afterProfileLocked":`, at(120))
	w.num(`"startupCrashDetectionBegin":`, at(160))
	w.num(`"startupCrashDetectionEnd":`, 30000+at(700))
	w.num(`"firstPaint":`, at(420))
	w.num(`"firstPaint2":`, at(430))
	w.num(`"sessionRestoreInit":`, at(390))
	w.num(`"sessionRestored":`, at(700))
	w.num(`"sessionRestoreInitialized":`, at(400))
	w.num(`"sessionRestoreRestoring":`, at(640))
	w.num(`"createTopLevelWindow":`, at(400))
	w.num(`"delayedStartupStarted":`, at(600))
	w.num(`"delayedStartupFinished":`, at(620))
	w.num(`"firstLoadURI":`, at(660))
	w.num(`"blankWindowShown":`, at(210))
	w.raw(`"AMI_startup_begin":`)
	w.num("", at(180))
	w.raw(`"AMI_startup_end":`)
	w.num("", at(230))
	w.raw(`"XPI_startup_begin":`)
	w.num("", at(185))
	w.raw(`"XPI_startup_end":`)
	w.num("", at(228))
	if d.reason == "shutdown" {
		w.num(`"quitApplication":`, int(time.Duration(total).Milliseconds()))
		w.num(`"profileBeforeChange":`, int(time.Duration(total).Milliseconds())+at(200))
	}
	w.num(`"shutdownDuration":`, at(500))
	w.num(`"activeTicks":`, int(time.Duration(total).Seconds()/5*r.unit()*r.unit()))
	w.num(`"savedPings":`, r.skewed(4))
	w.num(`"pingsOverdue":`, 0)
	w.num(`"maximalNumberOfConcurrentThreads":`, r.between(50, 180))
	w.num(`"debuggerAttached":`, 0)
	w.num(`"startupInterrupted":`, 0)
	w.raw(`"js":{"setProto":`)
	w.num("", r.below(3))
	w.raw(`"customIter":0},"failedProfileLockCount":0,"addonManager":{"XPIDB_parseDB_MS":`)
	w.num("", r.below(30))
	w.raw(`"XPIDB_async_load":"AppStartup"},`)
	w.close("}")
}

func (w *writer) info(d *draft) {
	w.open(`"info":{`)
	w.text(`"reason":`, d.reason)
	w.raw(`"revision":"https://source.northwind.example/browser/rev/`)
	h := mix(uint64(len(d.build.id)) ^ mix(uint64(d.buildDay)))
	for range 5 {
		w.b = strconv.AppendUint(w.b, h&0xffffffff|0x10000000, 16)
		h = mix(h)
	}
	w.raw(`",`)
	w.num(`"timezoneOffset":`, d.traits.tz)
	if d.previousBuild == "" {
		w.null(`"previousBuildId":`)
	} else {
		w.text(`"previousBuildId":`, d.previousBuild)
	}
	w.id(`"sessionId":`, d.session)
	w.id(`"subsessionId":`, d.subsession)
	w.optionalID(`"previousSessionId":`, d.previousSession)
	w.optionalID(`"previousSubsessionId":`, d.previousSubsession)
	w.num(`"subsessionCounter":`, d.subsessionCounter)
	w.num(`"profileSubsessionCounter":`, d.profileCounter)
	w.hour(`"sessionStartDate":`, d.sessionStart, d.traits.tz)
	w.hour(`"subsessionStartDate":`, d.subsessionStart, d.traits.tz)
	w.num(`"sessionLength":`, int(d.creation.Sub(d.sessionStart).Seconds()))
	w.num(`"subsessionLength":`, int(time.Duration(d.length).Seconds()))
	w.text(`"addons":`, "quietpages%40addons.example:2.4.0,tabgardener%40addons.example:1.0.3")
	w.close("}")
}

func (w *writer) optionalID(key string, u uuid) {
	if u == (uuid{}) {
		w.null(key)
		return
	}
	w.id(key, u)
}

// Kinds of probes, for habits.
const (
	habitHistograms = iota
	habitKeyed
	habitScalars
	habitKeyedScalars
	habitProcesses
	habitCount
)

// habits is the stream from which is drawn what a client's pings hold: the same for all pings of a client, so that its
// next ping has nearly the probes of the one before.
func (d *draft) habits(kind, proc int) rng {
	return newRNG(d.clientSeed, uint64(64+habitCount*proc+kind))
}

// present decides whether a probe is in a ping: by its own prevalence, by the client's habits (h), and by how much the
// client did.
func (d *draft) present(h *rng, common int) bool {
	return int(h.next()>>54)*1000>>10 < common*d.breadth>>8
}

func (w *writer) histograms(g *Generator, d *draft, r *rng, proc int) {
	probes := theRegistry.histograms[proc]
	w.open(`"histograms":{`)
	if d.odd == oddHistograms && proc == procParent {
		w.raw(oddHistogramMembers)
	}
	h := d.habits(habitHistograms, proc)
	for i := range probes {
		p := &probes[i]
		if d.present(&h, p.common) {
			w.b = append(p.append(w.b, p.head, r, &g.counts, d.scale), ',')
		}
	}
	w.close("}")
}

func (w *writer) keyedHistograms(g *Generator, d *draft, r *rng, proc int) {
	probes := theRegistry.keyed[proc]
	w.open(`"keyedHistograms":{`)
	h := d.habits(habitKeyed, proc)
	for i := range probes {
		p := &probes[i]
		if !d.present(&h, p.common*2/3) {
			continue
		}
		w.raw(`"`)
		w.raw(p.name)
		w.open(`":{`)
		head := p.keyedHead()
		for n := 1 + r.skewed(len(p.keySet)); n > 0; n-- {
			w.raw(p.keySet[n-1])
			w.b = append(p.append(w.b, head, r, &g.counts, d.scale>>2+1), ',')
		}
		w.close("}")
	}
	w.close("}")
}

func (w *writer) processes(g *Generator, d *draft, r *rng) {
	w.open(`"processes":{`)
	h := d.habits(habitProcesses, 0)
	for proc := range procCount {
		if proc > procContent && !h.permille(700) {
			continue
		}
		w.raw(`"`)
		w.raw(procNames[proc])
		w.open(`":{`)
		w.scalars(d, r, proc)
		w.keyedScalars(d, r, proc)
		if proc != procParent && len(theRegistry.histograms[proc]) > 0 {
			w.histograms(g, d, r, proc)
			if len(theRegistry.keyed[proc]) > 0 {
				w.keyedHistograms(g, d, r, proc)
			}
		}
		if proc == procParent || proc == procDynamic {
			w.events(`"events":`, r, d, r.skewed(12))
		}
		w.close("}")
	}
	w.close("}")
}

var scalarTexts = []string{"none", "opengl", "direct3d11", "webrender", "available", "blocked", "default", "user-set", "managed", "http3"}

func (w *writer) scalar(s *scalar, r *rng) {
	switch s.kind {
	case scalarBool:
		w.yes("", r.permille(400))
	case scalarString:
		w.text("", scalarTexts[r.skewed(len(scalarTexts))])
	default:
		w.num("", int(r.next()>>(64-s.bits)*uint64(jitter[r.next()&255])>>10))
	}
}

func (w *writer) scalars(d *draft, r *rng, proc int) {
	w.open(`"scalars":{`)
	h := d.habits(habitScalars, proc)
	for i := range theRegistry.scalars[proc] {
		s := &theRegistry.scalars[proc][i]
		if d.present(&h, s.common) {
			w.raw(s.key)
			w.scalar(s, r)
		}
	}
	w.close("}")
}

func (w *writer) keyedScalars(d *draft, r *rng, proc int) {
	if len(theRegistry.keyedSc[proc]) == 0 {
		return
	}
	w.open(`"keyedScalars":{`)
	h := d.habits(habitKeyedScalars, proc)
	for i := range theRegistry.keyedSc[proc] {
		s := &theRegistry.keyedSc[proc][i]
		if !d.present(&h, s.common*2/3) {
			continue
		}
		w.raw(s.key)
		w.open(`{`)
		for n := 1 + r.skewed(len(s.keySet)); n > 0; n-- {
			w.raw(s.keySet[n-1])
			if s.kind == scalarBool {
				w.yes("", true)
			} else {
				w.num("", 1+r.skewed(1<<min(s.bits, 16)))
			}
		}
		w.close("}")
	}
	w.close("}")
}

func (w *writer) slowSQL(r *rng) {
	w.open(`"slowSQL":{"mainThread":{},"otherThreads":{`)
	for i, sql := range slowStatements {
		if r.permille(250) {
			w.raw(sql)
			w.open(`[`)
			w.num("", 1+r.skewed(9))
			w.num("", 100+r.skewed(4000)*(i+1))
			w.close("]")
		}
	}
	w.close("}")
	w.close("}")
}

var slowStatements = []string{
	`"UPDATE visits SET frecency = :f WHERE place_id = :p /* history.sqlite */":`,
	`"SELECT url, title FROM pages WHERE rev_host > :h ORDER BY last_visit DESC LIMIT 200 /* history.sqlite */":`,
	`"DELETE FROM cookies WHERE expiry < ?1 /* cookies.sqlite */":`,
	`"Untracked SQL for favicons.sqlite":`,
	`"PRAGMA wal_checkpoint(PASSIVE)":`,
}

func (w *writer) addonDetails() {
	w.raw(`"addonDetails":{"XPI":{"quietpages@addons.example":{"name":"Quiet Pages","unpacked":false,"startup_MS":12},` +
		`"tabgardener@addons.example":{"name":"Tab Gardener","unpacked":true}}},"fileIOReports":{},"lateWrites":{"memoryMap":[],"stacks":[]},` +
		`"UIMeasurements":[],"log":[],`)
}
