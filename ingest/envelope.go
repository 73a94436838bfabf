package ingest

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/telemdb/telemdb/ingest/ping"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
)

// restColumn takes the top-level members without a column of their own.
const restColumn = "additional_properties"

// The members of a document that the envelope's columns come from.
const (
	watchVersion = iota
	watchV
	watchGleanClientID
	watchClientIDSnake
	watchClientID
	watchGleanChannel
	watchGleanOS
	watchGleanOSVersion
	watchGleanAppVersion
	watchGleanAppBuild
	watchOSName
	watchOSVersion
	watchReleaseChannel
	watchOS
	watchCoreOSVersion
	watchCount
)

var watches = [watchCount]string{
	watchVersion:         "version",
	watchV:               "v",
	watchGleanClientID:   "client_info.client_id",
	watchClientIDSnake:   "client_id",
	watchClientID:        "clientId",
	watchGleanChannel:    "client_info.app_channel",
	watchGleanOS:         "client_info.os",
	watchGleanOSVersion:  "client_info.os_version",
	watchGleanAppVersion: "client_info.app_display_version",
	watchGleanAppBuild:   "client_info.app_build",
	watchOSName:          "environment.system.os.name",
	watchOSVersion:       "environment.system.os.version",
	watchReleaseChannel:  "release_channel",
	watchOS:              "os",
	watchCoreOSVersion:   "osversion",
}

// columnIDs are the path ids of the columns the server fills.
type columnIDs struct {
	time, date, documentID, documentType, documentVersion, clientID, sampleID       uint32
	appName, channel, os, osVersion, appVersion, appBuildID, lsn                    uint32
	namespace, errorType, errorMessage, exceptionClass, uri, args, method, protocol uint32
	payload, firstLSN                                                               uint32
	errorHeader                                                                     [ping.HeaderCount]uint32

	metadataHeader, metadataGeo, metadataISP, metadataUserAgent           uint32
	metadataNamespace, metadataType, metadataVersion                      uint32
	metadataHeaders                                                       [ping.HeaderCount]uint32
	uriURI, uriAppName, uriAppVersion, uriAppUpdateChannel, uriAppBuildID uint32
}

func newColumnIDs(in *column.Interner) *columnIDs {
	id := func(column string, keys ...string) uint32 { return in.Intern(types.MakePath(column, keys...)) }
	ids := &columnIDs{
		time: id("submission_timestamp"), date: id("submission_date"), documentID: id("document_id"),
		documentType: id("document_type"), documentVersion: id("document_version"), clientID: id("client_id"),
		sampleID: id("sample_id"), appName: id("normalized_app_name"), channel: id("normalized_channel"), os: id("normalized_os"),
		osVersion: id("normalized_os_version"), appVersion: id("app_version"), appBuildID: id("app_build_id"), lsn: id(types.ColLSN),
		namespace: id("document_namespace"), errorType: id("error_type"), errorMessage: id("error_message"),
		exceptionClass: id("exception_class"), uri: id("uri"), args: id("args"), method: id("method"), protocol: id("protocol"),
		payload: id("payload"), firstLSN: id("first_lsn"),

		metadataHeader: id("metadata", "header"), metadataGeo: id("metadata", "geo"), metadataISP: id("metadata", "isp"),
		metadataUserAgent: id("metadata", "user_agent"), metadataNamespace: id("metadata", "document_namespace"),
		metadataType: id("metadata", "document_type"), metadataVersion: id("metadata", "document_version"),
		uriURI: id("metadata", "uri", "uri"), uriAppName: id("metadata", "uri", "app_name"),
		uriAppVersion: id("metadata", "uri", "app_version"), uriAppUpdateChannel: id("metadata", "uri", "app_update_channel"),
		uriAppBuildID: id("metadata", "uri", "app_build_id"),
	}
	for _, h := range errorHeaders {
		ids.errorHeader[h] = id(ping.HeaderNames[h])
	}
	for _, h := range metadataHeaders {
		ids.metadataHeaders[h] = id("metadata", "header", ping.HeaderNames[h])
	}
	return ids
}

// envelope adds the server's columns to the row of an accepted document.
func (w *worker) envelope(lsn uint64, row *column.RowBuf) {
	ids, u := w.ids, &w.uri
	a := w.attributes(row)
	row.Int(ids.time, w.rec.Time)
	row.Int(ids.date, days(w.rec.Time))
	row.Int(ids.lsn, int64(lsn))
	row.Text(ids.documentID, u.DocID)
	row.Text(ids.documentType, clean(u.DocType))
	optional(row, ids.documentVersion, a.version)
	if id, ok := ping.ClientID(a.clientID.s); ok && a.clientID.ok {
		row.Text(ids.clientID, id)
		row.Int(ids.sampleID, ping.SampleID(id))
	}
	optional(row, ids.appName, a.appName.then(ping.AppName))
	optional(row, ids.channel, a.channel.then(ping.Channel))
	optional(row, ids.os, a.os.then(ping.OS))
	optional(row, ids.osVersion, a.osVersion.then(ping.OSVersion))
	optional(row, ids.appVersion, a.appVersion)
	optional(row, ids.appBuildID, a.appBuildID)
	w.metadata(a.version, row)
}

// metadata adds the metadata column (ingestion.md 15). Its objects are there even when they are empty.
func (w *worker) metadata(version attribute, row *column.RowBuf) {
	ids, u := w.ids, &w.uri
	row.Bytes(ids.metadataGeo, types.LeafJSON, emptyObject)
	row.Bytes(ids.metadataISP, types.LeafJSON, emptyObject)
	row.Bytes(ids.metadataUserAgent, types.LeafJSON, emptyObject)
	any := false
	for _, h := range metadataHeaders {
		if v := w.rec.Headers[h]; v != nil {
			row.Text(ids.metadataHeaders[h], clean(string(v)))
			any = true
		}
	}
	if !any {
		row.Bytes(ids.metadataHeader, types.LeafJSON, emptyObject)
	}
	row.Text(ids.metadataNamespace, clean(u.Namespace))
	row.Text(ids.metadataType, clean(u.DocType))
	optional(row, ids.metadataVersion, version)
	if u.Telemetry {
		row.Text(ids.uriURI, clean(string(w.rec.Path)))
		row.Text(ids.uriAppName, clean(u.AppName))
		row.Text(ids.uriAppVersion, clean(u.AppVersion))
		row.Text(ids.uriAppUpdateChannel, clean(u.AppUpdateChannel))
		row.Text(ids.uriAppBuildID, clean(u.AppBuildID))
	}
}

var emptyObject = []byte("{}")

// attribute is a text that may be absent.
type attribute struct {
	s  string
	ok bool
}

func given(s string) attribute { return attribute{s, s != ""} }

// then applies a rule to a value that is there.
func (a attribute) then(f func(string) string) attribute {
	if a.ok {
		a.s = f(a.s)
	}
	return a
}

// or returns a, or b if a is absent.
func (a attribute) or(b attribute) attribute {
	if a.ok {
		return a
	}
	return b
}

func optional(row *column.RowBuf, id uint32, a attribute) {
	if a.ok {
		row.Text(id, clean(ping.Cut(a.s)))
	}
}

// attributes are what the URI and the document say about the client and its application (ingestion.md 9).
type attributes struct {
	version, clientID, appName, channel, os, osVersion, appVersion, appBuildID attribute
}

func (w *worker) attributes(row *column.RowBuf) attributes {
	get := func(watch int) attribute { return w.watched(watch, row) }
	u := &w.uri
	a := attributes{
		version:    given(u.DocVersion),
		clientID:   get(watchGleanClientID).or(get(watchClientIDSnake)).or(get(watchClientID)),
		appName:    given(u.AppName),
		appVersion: given(u.AppVersion).or(get(watchGleanAppVersion)),
		appBuildID: given(u.AppBuildID).or(get(watchGleanAppBuild)),
		channel:    given(u.AppUpdateChannel),
	}
	if u.Telemetry {
		a.version = get(watchVersion).or(get(watchV))
	}
	// The first block that is there counts as a whole.
	glean := attributes{channel: get(watchGleanChannel), os: get(watchGleanOS), osVersion: get(watchGleanOSVersion)}
	common := attributes{os: get(watchOSName), osVersion: get(watchOSVersion)}
	switch {
	case glean.channel.ok || glean.os.ok || glean.osVersion.ok || get(watchGleanClientID).ok:
		a.channel, a.os, a.osVersion = a.channel.or(glean.channel), glean.os, glean.osVersion
	case common.os.ok || common.osVersion.ok:
		a.os, a.osVersion = common.os, common.osVersion
	default:
		a.channel, a.os, a.osVersion = a.channel.or(get(watchReleaseChannel)), get(watchOS), get(watchCoreOSVersion)
	}
	return a
}

// watched returns a member of the document as text; numbers as they print, other kinds are absent.
func (w *worker) watched(i int, row *column.RowBuf) attribute {
	v, ok := w.shredder.Watched(i)
	if !ok {
		return attribute{}
	}
	switch v.Leaf {
	case types.LeafText:
		return attribute{string(row.Data(v)), true}
	case types.LeafInt:
		return attribute{strconv.FormatInt(int64(v.Num), 10), true}
	}
	return attribute{}
}

// clean returns s as SQL text can hold it: UTF-8 without NUL.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
