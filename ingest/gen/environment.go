package gen

import "strconv"

type cpu struct {
	vendor, name                        string
	count, cores, family, model, l2, l3 int
	speed                               int
}

var cpus = []cpu{
	{"GenuineIntel", "Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz", 8, 4, 6, 142, 256, 6144, 1800},
	{"GenuineIntel", "Intel(R) Core(TM) i7-10750H CPU @ 2.60GHz", 12, 6, 6, 165, 256, 12288, 2592},
	{"AuthenticAMD", "AMD Ryzen 5 5600X 6-Core Processor", 12, 6, 25, 33, 512, 32768, 3693},
	{"GenuineIntel", "12th Gen Intel(R) Core(TM) i5-1235U", 12, 10, 6, 154, 1280, 12288, 2496},
	{"AuthenticAMD", "AMD Ryzen 7 7730U with Radeon Graphics", 16, 8, 25, 80, 512, 16384, 1996},
	{"GenuineIntel", "Intel(R) Core(TM) i3-7100U CPU @ 2.40GHz", 4, 2, 6, 142, 256, 3072, 2400},
	{"GenuineIntel", "Intel(R) Celeron(R) N4020 CPU @ 1.10GHz", 2, 2, 6, 122, 4096, 0, 1101},
	{"GenuineIntel", "Intel(R) Core(TM)2 Duo CPU     E8400  @ 3.00GHz", 2, 2, 6, 23, 6144, 0, 3000},
	{"AuthenticAMD", "AMD A8-7410 APU with AMD Radeon R5 Graphics", 4, 4, 22, 48, 2048, 0, 2196},
}

var adapters = []struct{ description, vendor, device, driver string }{
	{"Intel(R) UHD Graphics 620", "0x8086", "0x5917", "igdumdim64 igd10iumd64 igd10iumd64 igd12umd64"},
	{"NVIDIA GeForce GTX 1650", "0x10de", "0x1f91", "nvldumdx nvldumdx nvldumdx nvldumdx"},
	{"AMD Radeon(TM) Graphics", "0x1002", "0x164c", "amdxx64 amdxc64 amdxc64 amdxn64"},
	{"Intel(R) Iris(R) Xe Graphics", "0x8086", "0x9a49", "igdumdim64 igd10um64xe igd10um64xe igd12umd64"},
	{"Intel(R) HD Graphics 4000", "0x8086", "0x0166", "igdumdim64 igd10umd64"},
}

// Add-ons that do not exist. One name has characters beyond ASCII, one an escape.
var addons = []struct{ id, name string }{
	{"doh-rollout@northwind.example", "DoH Roll-Out"}, {"formautofill@northwind.example", "Form Autofill"},
	{"screenshots@northwind.example", "Screenshots"}, {"webcompat@northwind.example", "Web Compatibility Interventions"},
	{"reporter@northwind.example", "Site Issue Reporter"}, {"default-theme@northwind.example", "System theme — auto"},
	{"quietpages@addons.example", "Quiet Pages"}, {"tabgardener@addons.example", "Tab Gardener"},
	{"{3d1f7c52-6f0a-4c0e-9d2b-8a7e5b1c2f40}", "Übersetzer für Seiten"}, {"passkeep@addons.example", "PassKeep \\\"Pro\\\""},
	{"darkly@addons.example", "Darkly"}, {"{b0e7a1d4-5e2c-4b3a-8f6d-1c2d3e4f5a6b}", "RSS Corner"}, {"notetaker@addons.example", "Note Taker"},
}

var engines = []struct{ id, name, path, url string }{
	{"google-b-d", "Google", "[app]google@search.example", "https://www.google.example/search?client=firefox-b-d&q="},
	{"bing", "Bing", "[app]bing@search.example", "https://www.bing.example/search?form=MOZLBR&pc=MOZI&q="},
	{"ddg", "DuckDuckGo", "[app]ddg@search.example", "https://duckduckgo.example/?t=ffab&q="},
	{"ecosia", "Ecosia", "[addon]ecosia@addons.example", "https://www.ecosia.example/search?tt=mzl&q="},
}

// application writes the envelope's application member.
func (w *writer) application(d *draft) {
	w.open(`"application":{`)
	w.text(`"architecture":`, d.traits.arch)
	w.text(`"buildId":`, d.build.id)
	w.text(`"name":`, d.traits.app)
	w.text(`"version":`, d.build.version)
	w.text(`"displayVersion":`, d.build.display)
	w.text(`"vendor":`, "Northwind")
	w.text(`"platformVersion":`, d.build.version)
	w.text(`"xpcomAbi":`, abi(&d.traits))
	w.text(`"channel":`, channels[d.traits.channel].name)
	w.close("}")
}

func abi(t *traits) string {
	arch := "x86_64"
	switch t.arch {
	case "x86":
		arch = "x86"
	case "aarch64":
		arch = "aarch64"
	}
	if t.system == osWindows {
		return arch + "-msvc"
	}
	return arch + "-gcc3"
}

// environment writes the client's environment. What does not change about the client is drawn from its own seed.
func (w *writer) environment(d *draft) {
	fixed := newRNG(d.clientSeed, 2)
	w.open(`"environment":{`)
	w.buildInfo(d)
	w.partner(d)
	w.system(d, &fixed)
	w.settings(d, &fixed)
	w.open(`"profile":{`)
	created := d.day0 - d.traits.created
	w.num(`"creationDate":`, created)
	if fixed.permille(60) {
		w.num(`"resetDate":`, created+fixed.below(d.traits.created))
	}
	w.num(`"firstUseDate":`, created)
	w.close("}")
	w.addons(d, &fixed)
	w.experiments(d, &fixed)
	w.open(`"services":{`)
	account := fixed.permille(280)
	w.yes(`"accountEnabled":`, account)
	w.yes(`"syncEnabled":`, account && fixed.permille(800))
	w.close("}")
	w.close("}")
}

func (w *writer) buildInfo(d *draft) {
	w.open(`"build":{`)
	w.text(`"applicationId":`, "{4a1b7d20-93c8-4e57-b6f1-0c5d8e2f7a31}")
	w.text(`"applicationName":`, d.traits.app)
	w.text(`"architecture":`, d.traits.arch)
	w.text(`"buildId":`, d.build.id)
	w.text(`"version":`, d.build.version)
	w.text(`"vendor":`, "Northwind")
	w.text(`"displayVersion":`, d.build.display)
	w.text(`"platformVersion":`, d.build.version)
	w.text(`"xpcomAbi":`, abi(&d.traits))
	w.yes(`"updaterAvailable":`, d.traits.system != osLinux)
	w.close("}")
}

func (w *writer) partner(d *draft) {
	w.open(`"partner":{`)
	if d.traits.channel == chanPartner {
		w.text(`"distributionId":`, "northwind")
		w.text(`"distributionVersion":`, "1.3")
		w.text(`"partnerId":`, "northwind")
	} else {
		w.raw(`"distributionId":null,"distributionVersion":null,"partnerId":null,`)
	}
	w.raw(`"distributor":null,"distributorChannel":null,"partnerNames":[]},`)
}

func (w *writer) system(d *draft, r *rng) {
	t := &d.traits
	w.open(`"system":{`)
	w.num(`"memoryMB":`, t.memory)
	w.num(`"virtualMaxMB":`, 134217728)
	c := &cpus[t.cpu]
	w.open(`"cpu":{`)
	w.num(`"count":`, c.count)
	w.num(`"cores":`, c.cores)
	w.text(`"vendor":`, c.vendor)
	w.text(`"name":`, c.name)
	w.num(`"family":`, c.family)
	w.num(`"model":`, c.model)
	w.num(`"stepping":`, r.below(12))
	w.num(`"l2cacheKB":`, c.l2)
	if c.l3 == 0 {
		w.null(`"l3cacheKB":`)
	} else {
		w.num(`"l3cacheKB":`, c.l3)
	}
	w.num(`"speedMHz":`, c.speed)
	w.raw(`"extensions":["hasMMX","hasSSE","hasSSE2","hasSSE3","hasSSSE3","hasSSE4_1","hasSSE4_2"`)
	if c.l3 > 4096 {
		w.raw(`,"hasAVX","hasAVX2","hasAES"`)
	}
	w.raw(`]},`)
	w.osInfo(t, r)
	w.hdd(t, r)
	w.gfx(t, r)
	if t.system == osWindows {
		w.raw(`"sec":{"antivirus":["Windows Defender"],"antispyware":null,"firewall":["Windows Firewall"]},"isWow64":`)
		w.yes("", t.arch == "x86")
		w.raw(`"isWowARM64":false,"appleModelId":null,"hasWinPackageId":false,"winPackageFamilyName":null,`)
	} else {
		w.raw(`"appleModelId":null,`)
	}
	w.close("}")
}

func (w *writer) osInfo(t *traits, r *rng) {
	w.open(`"os":{`)
	w.text(`"name":`, systems[t.system].name)
	w.text(`"version":`, t.osVersion)
	w.text(`"locale":`, t.locale)
	switch t.system {
	case osWindows:
		w.num(`"servicePackMajor":`, 0)
		w.num(`"servicePackMinor":`, 0)
		w.num(`"windowsBuildNumber":`, []int{19045, 22631, 26100, 19044, 22621}[r.skewed(5)])
		w.num(`"windowsUBR":`, 1000+r.below(5000))
		w.num(`"installYear":`, 2016+r.below(10))
		w.yes(`"hasPrefetch":`, true)
		w.yes(`"hasSuperfetch":`, r.permille(930))
	case osLinux:
		w.text(`"distro":`, []string{"Ubuntu", "Debian", "Fedora Linux", "Arch"}[r.skewed(4)])
		w.text(`"distroVersion":`, []string{"24.04", "12", "42", "22.04"}[r.skewed(4)])
	}
	w.close("}")
}

func (w *writer) hdd(t *traits, r *rng) {
	if t.system != osWindows {
		w.raw(`"hdd":{"profile":{"model":null,"revision":null,"type":null},"binary":{"model":null,"revision":null,"type":null},` +
			`"system":{"model":null,"revision":null,"type":null}},`)
		return
	}
	model := []string{"ORCHID SN550 512GB", "HALDEN MZVLB256", "CORVUS 870 EVO 1TB", "BERGEN DT01ACA100"}[r.below(4)]
	kind := []string{"SSD", "SSD", "SSD", "HDD"}[r.below(4)]
	w.open(`"hdd":{`)
	for _, use := range []string{`"profile":{`, `"binary":{`, `"system":{`} {
		w.open(use)
		w.text(`"model":`, model)
		w.text(`"revision":`, "EXD71H1Q")
		w.text(`"type":`, kind)
		w.close("}")
	}
	w.close("}")
}

func (w *writer) gfx(t *traits, r *rng) {
	w.open(`"gfx":{`)
	w.yes(`"D2DEnabled":`, t.system == osWindows)
	w.yes(`"DWriteEnabled":`, t.system == osWindows)
	w.text(`"ContentBackend":`, "Skia")
	w.yes(`"Headless":`, false)
	w.num(`"TargetFrameRate":`, []int{60, 60, 60, 75, 120, 144}[r.below(6)])
	w.open(`"adapters":[`)
	for i := range 1 + r.below(2) {
		a := &adapters[r.below(len(adapters))]
		w.open(`{`)
		w.text(`"description":`, a.description)
		w.text(`"vendorID":`, a.vendor)
		w.text(`"deviceID":`, a.device)
		w.text(`"subsysID":`, "3034103c")
		w.num(`"RAM":`, 1024<<r.below(4))
		w.text(`"driver":`, a.driver)
		w.text(`"driverVersion":`, "31.0.101."+strconv.Itoa(1000+r.below(5000)))
		w.text(`"driverDate":`, strconv.Itoa(1+r.below(12))+"-"+strconv.Itoa(1+r.below(28))+"-202"+strconv.Itoa(r.below(6)))
		w.yes(`"GPUActive":`, i == 0)
		w.close("}")
	}
	w.close("]")
	w.open(`"monitors":[`)
	for range 1 + r.skewed(3) {
		m := [][2]int{{1920, 1080}, {1366, 768}, {2560, 1440}, {1536, 864}, {3840, 2160}, {1280, 1024}}[r.below(6)]
		w.open(`{`)
		w.num(`"screenWidth":`, m[0])
		w.num(`"screenHeight":`, m[1])
		w.num(`"refreshRate":`, 60)
		w.float(`"scale":`, []float64{1, 1, 1.25, 1.5, 2}[r.below(5)])
		w.close("}")
	}
	w.close("]")
	w.raw(`"features":{"compositor":"webrender","hwCompositing":{"status":"available"},"d3d11":{"status":"available","version":45056,` +
		`"warp":false,"textureSharing":true,"blacklisted":false},"d2d":{"status":"available","version":"1.1"},` +
		`"gpuProcess":{"status":"available"},"webrender":{"status":"available"},"openglCompositing":{"status":"unused"}},`)
	w.close("}")
}

func (w *writer) settings(d *draft, r *rng) {
	t := &d.traits
	w.open(`"settings":{`)
	w.raw(`"blocklistEnabled":true,"e10sEnabled":true,"e10sMultiProcesses":8,"fissionEnabled":true,"telemetryEnabled":true,`)
	w.raw(`"addonCompatibilityCheckEnabled":true,`)
	if r.permille(20) {
		w.null(`"isDefaultBrowser":`)
	} else {
		w.yes(`"isDefaultBrowser":`, r.permille(550))
	}
	e := &engines[r.skewed(len(engines))]
	w.text(`"defaultSearchEngine":`, e.id)
	w.open(`"defaultSearchEngineData":{`)
	w.text(`"name":`, e.name)
	w.text(`"loadPath":`, e.path)
	w.text(`"origin":`, "default")
	w.text(`"submissionURL":`, e.url)
	w.close("}")
	w.text(`"locale":`, t.locale)
	w.open(`"intl":{`)
	for _, k := range []string{`"requestedLocales":["`, `"availableLocales":["`, `"appLocales":["`, `"systemLocales":["`, `"acceptLanguages":["`} {
		w.open(k)
		w.raw(t.locale)
		w.raw(`","en-US"],`)
	}
	w.close("}")
	w.open(`"update":{`)
	w.text(`"channel":`, channels[t.channel].name)
	w.yes(`"enabled":`, r.permille(950))
	w.yes(`"autoDownload":`, r.permille(900))
	w.yes(`"background":`, t.system == osWindows)
	w.close("}")
	w.open(`"userPrefs":{`)
	w.text(`"browser.startup.homepage":`, "<user-set>")
	w.num(`"browser.startup.page":`, []int{1, 3}[r.below(2)])
	w.num(`"browser.cache.disk.capacity":`, 256000+1024*r.below(800))
	w.text(`"browser.search.region":`, regionOf(t.locale))
	w.yes(`"browser.zoom.full":`, r.permille(900))
	w.close("}")
	w.raw(`"sandbox":{"effectiveContentProcessLevel":6,"contentWin32kLockdownState":3},`)
	if r.permille(400) {
		w.open(`"attribution":{`)
		w.text(`"source":`, []string{"www.google.example", "%2528not%2Bset%2529", "partner.example"}[r.below(3)])
		w.text(`"medium":`, []string{"organic", "referral", "%2528direct%2529"}[r.below(3)])
		w.text(`"campaign":`, "%2528not%2Bset%2529")
		w.text(`"content":`, "%2528not%2Bset%2529")
		w.text(`"dltoken":`, "d2b1c9f0-7a65-4e1b-8a6f-5b3c1d9e0f27")
		w.close("}")
	}
	w.close("}")
}

func regionOf(locale string) string {
	switch locale {
	case "en-US":
		return "US"
	case "en-GB":
		return "GB"
	case "pt-BR":
		return "BR"
	case "zh-CN":
		return "CN"
	case "es-ES":
		return "MX"
	case "sv-SE":
		return "SE"
	case "ja":
		return "JP"
	case "cs":
		return "CZ"
	case "uk":
		return "UA"
	case "el":
		return "GR"
	}
	return string([]byte{locale[0] - 32, locale[1] - 32})
}

func (w *writer) addons(d *draft, r *rng) {
	w.open(`"addons":{`)
	w.open(`"activeAddons":{`)
	for i, a := range addons {
		if i >= 6 && !r.permille(250) {
			continue
		}
		w.raw(`"` + a.id + `":{`)
		w.text(`"version":`, strconv.Itoa(1+r.below(9))+"."+strconv.Itoa(r.below(30))+".0")
		w.num(`"scope":`, 1+3*r.below(2))
		w.text(`"type":`, "extension")
		updated := d.day0 - r.below(d.traits.created)
		w.num(`"updateDay":`, updated)
		w.yes(`"isSystem":`, i < 6)
		w.yes(`"isWebExtension":`, true)
		w.yes(`"multiprocessCompatible":`, true)
		w.raw(`"blocklisted":false,"description":"`)
		w.raw(a.name)
		w.raw(`","name":"`)
		w.raw(a.name)
		w.raw(`","userDisabled":false,"appDisabled":false,"foreignInstall":false,"hasBinaryComponents":false,`)
		w.num(`"installDay":`, updated-r.below(400))
		w.num(`"signedState":`, 2+r.below(2))
		w.close("}")
	}
	w.close("}")
	w.raw(`"theme":{"id":"default-theme@northwind.example","blocklisted":false,"description":"","name":"System theme — auto",` +
		`"userDisabled":false,"appDisabled":false,"version":"1.4.1","scope":4,"foreignInstall":false,"hasBinaryComponents":false,` +
		`"installDay":18536,"updateDay":19901},"activePlugins":[],"activeGMPlugins":{"gmp-openh264":{"version":"2.3.2",` +
		`"userDisabled":false,"applyBackgroundUpdates":1},"gmp-widevine":{"version":"4.10.2830.0","userDisabled":false,` +
		`"applyBackgroundUpdates":1}},`)
	w.close("}")
}

var trials = []string{"newtab-wider-tiles", "urlbar-calm-suggestions", "tabs-gentle-unload", "startup-lean-path", "reader-large-type"}

func (w *writer) experiments(d *draft, r *rng) {
	w.open(`"experiments":{`)
	for _, t := range trials {
		if !r.permille(220) {
			continue
		}
		w.raw(`"` + t + `":{`)
		w.text(`"branch":`, []string{"control", "treatment-a", "treatment-b"}[r.below(3)])
		w.text(`"type":`, "nimbus")
		w.id(`"enrollmentId":`, r.uuid())
		w.close("}")
	}
	w.close("}")
}
