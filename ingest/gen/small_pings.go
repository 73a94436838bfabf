package gen

import (
	"strconv"
	"time"
)

// events writes a list of n event tuples, in order of time.
func (w *writer) events(key string, r *rng, d *draft, n int) {
	w.raw(key)
	w.open(`[`)
	at := 500 + r.below(5000)
	for range n {
		e := &eventKinds[r.skewed(len(eventKinds))]
		w.open(`[`)
		w.num("", at)
		at += 1 + r.skewed(int(time.Duration(d.length).Milliseconds())/(n+1)+10)
		w.raw(e.head)
		switch r.below(3) {
		case 0:
		case 1:
			w.text("", e.values[r.below(len(e.values))])
		default:
			w.null("")
			w.open(`{`)
			w.text(`"source":`, e.values[r.below(len(e.values))])
			w.text(`"count":`, strconv.Itoa(1+r.skewed(40)))
			w.close("}")
		}
		w.close("]")
	}
	w.close("]")
}

var eventKinds = []struct {
	head   string // category, method, object
	values []string
}{
	{`"navigation","search","urlbar",`, []string{"enter", "suggestion", "oneoff", "alias"}},
	{`"tabs.strip","close","tab",`, []string{"middle_click", "button", "shortcut"}},
	{`"addons.host","update","extension",`, []string{"auto", "manual"}},
	{`"security.prompt","show","certificate",`, []string{"expired", "self_signed", "mismatch"}},
	{`"reader","open","button",`, []string{"toolbar", "menu"}},
	{`"download","finish","file",`, []string{"ok", "blocked", "cancelled"}},
	{`"pictureinpicture","create","player",`, []string{"toggle", "context_menu"}},
	{`"privacy.guard","click","panel",`, []string{"standard", "strict", "custom"}},
	{`"form.fill","select","address",`, []string{"popup", "keyboard"}},
}

// envelope opens a document of the common format.
func (w *writer) envelope(d *draft) {
	w.open(`{`)
	w.text(`"type":`, d.docType)
	w.id(`"id":`, d.id)
	w.time(`"creationDate":`, d.creation)
	w.num(`"version":`, 4)
	w.application(d)
}

// eventPing writes the document of an event ping.
func (w *writer) eventPing(d *draft) {
	r := newRNG(d.seed, 4)
	w.envelope(d)
	w.open(`"payload":{`)
	w.text(`"reason":`, []string{"periodic", "shutdown", "max"}[r.skewed(3)])
	w.num(`"processStartTimestamp":`, int(d.sessionStart.UnixMilli()/60000*60000))
	w.id(`"sessionId":`, d.session)
	w.id(`"subsessionId":`, d.subsession)
	w.num(`"lostEventsCount":`, 0)
	w.open(`"events":{`)
	for _, p := range []string{`"parent":`, `"content":`, `"dynamic":`} {
		w.events(p, &r, d, 1+r.skewed(60)*d.breadth>>8)
	}
	w.close("}")
	w.close("}")
	w.id(`"clientId":`, d.client)
	w.environment(d)
	w.close("}")
}

// crashPing writes the document of a crash ping. Its metadata are all strings.
func (w *writer) crashPing(d *draft) {
	r := newRNG(d.seed, 5)
	w.envelope(d)
	w.open(`"payload":{`)
	w.b = append(w.b, `"crashDate":"`...)
	w.b = d.creation.UTC().AppendFormat(w.b, "2006-01-02")
	w.raw(`",`)
	w.b = append(w.b, `"crashTime":"`...)
	w.b = d.creation.UTC().AppendFormat(w.b, "2006-01-02T15:00:00.000Z")
	w.raw(`",`)
	w.num(`"version":`, 1)
	w.id(`"sessionId":`, d.session)
	w.id(`"crashId":`, r.uuid())
	w.raw(`"minidumpSha256Hash":"`)
	for range 4 {
		id := r.uuid()
		w.b = appendHex(w.b, id[:8])
	}
	w.raw(`",`)
	process := []string{"main", "content", "content", "gpu", "utility", "rdd"}[r.skewed(6)]
	w.text(`"processType":`, process)
	w.yes(`"hasCrashEnvironment":`, true)
	w.crashMetadata(d, &r, process)
	w.stackTraces(&r)
	w.close("}")
	w.id(`"clientId":`, d.client)
	w.environment(d)
	w.close("}")
}

func (w *writer) crashMetadata(d *draft, r *rng, process string) {
	count := func(key string, n int) { w.text(key, strconv.Itoa(n)) }
	w.open(`"metadata":{`)
	w.text(`"ProductName":`, d.traits.app)
	w.text(`"ProductID":`, "{4a1b7d20-93c8-4e57-b6f1-0c5d8e2f7a31}")
	w.text(`"ReleaseChannel":`, channels[d.traits.channel].name)
	w.text(`"Version":`, d.build.version)
	w.text(`"BuildID":`, d.build.id)
	count(`"CrashTime":`, int(d.creation.Unix()))
	w.text(`"UptimeTS":`, strconv.FormatFloat(time.Duration(d.length).Seconds(), 'f', 6, 64))
	count(`"AvailablePhysicalMemory":`, d.traits.memory*1048576/10*r.below(9))
	count(`"TotalPhysicalMemory":`, d.traits.memory*1048576)
	count(`"AvailablePageFile":`, 1<<30+r.below(1<<34))
	count(`"SystemMemoryUsePercentage":`, r.between(20, 98))
	if process == "content" {
		w.text(`"RemoteType":`, []string{"web", "webIsolated=https://site.example", "file", "extension"}[r.below(4)])
	}
	switch r.below(5) {
	case 0:
		count(`"OOMAllocationSize":`, 1<<r.between(10, 28))
	case 1:
		w.text(`"MozCrashReason":`, "RELEASE_ASSERT(mIndex < mLength) (index out of range)")
	case 2:
		w.text(`"StartupCrash":`, "1")
	}
	w.close("}")
}

var modules = []string{"browser.exe", "core.dll", "ntdll.dll", "kernel32.dll", "user32.dll", "glue.dll", "nss3.dll", "gdi32full.dll"}

func (w *writer) stackTraces(r *rng) {
	address := func(key string) {
		w.raw(key)
		w.raw(`"0x`)
		w.b = strconv.AppendUint(w.b, 0x7ff000000000+r.next()>>28, 16)
		w.raw(`",`)
	}
	w.open(`"stackTraces":{`)
	w.text(`"status":`, "OK")
	w.open(`"crash_info":{`)
	w.text(`"type":`, []string{"EXCEPTION_ACCESS_VIOLATION_READ", "EXCEPTION_BREAKPOINT", "EXCEPTION_STACK_OVERFLOW"}[r.skewed(3)])
	address(`"address":`)
	w.num(`"crashing_thread":`, 0)
	w.close("}")
	w.num(`"main_module":`, 0)
	w.open(`"modules":[`)
	for _, m := range modules {
		w.open(`{`)
		address(`"base_addr":`)
		address(`"end_addr":`)
		w.text(`"code_id":`, "67ff1c2e13b000")
		w.text(`"debug_file":`, m)
		w.text(`"filename":`, m)
		w.text(`"version":`, "10.0.22621.4541")
		w.close("}")
	}
	w.close("]")
	w.open(`"threads":[`)
	for range 1 + r.below(3) {
		w.open(`{"frames":[`)
		for range 5 + r.skewed(25) {
			w.open(`{`)
			w.num(`"module_index":`, r.below(len(modules)))
			address(`"ip":`)
			w.text(`"trust":`, []string{"cfi", "context", "frame_pointer", "scan"}[r.skewed(4)])
			w.close("}")
		}
		w.close("]")
		w.close("}")
	}
	w.close("]")
	w.close("}")
}
