package ingest

import (
	"encoding/json"
	"net/http"
)

// health answers the Dockerflow endpoints and /status (ingestion.md 5).
func (h *Handler) health(w http.ResponseWriter, r *http.Request, path string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	switch path {
	case "/__lbheartbeat__":
		w.WriteHeader(http.StatusOK)
	case "/__version__":
		writeJSON(w, http.StatusOK, h.o.Version)
	case "/__heartbeat__":
		b := h.heartbeat()
		writeJSON(w, b.code(), b)
	case "/status":
		if b := h.heartbeat(); b.code() != http.StatusOK {
			http.Error(w, b.Status, b.code())
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("OK")) // a probe that hung up needs no answer
	}
}

// level is a Dockerflow severity.
type level int

const (
	levelOK      level = 0
	levelWarning level = 30
	levelError   level = 40
)

func (l level) String() string {
	switch {
	case l >= levelError:
		return "error"
	case l >= levelWarning:
		return "warning"
	}
	return "ok"
}

type heartbeat struct {
	Status  string                 `json:"status"`
	Checks  map[string]string      `json:"checks"`
	Details map[string]checkDetail `json:"details"`
	worst   level
}

type checkDetail struct {
	Status   string            `json:"status"`
	Level    level             `json:"level"`
	Messages map[string]string `json:"messages"`
}

func (b *heartbeat) code() int {
	if b.worst >= levelError {
		return http.StatusInternalServerError
	}
	return http.StatusOK
}

// check adds the outcome of one check; id and text say what is wrong if it is not ok.
func (b *heartbeat) check(name string, l level, id, text string) {
	b.Checks[name] = l.String()
	if l > levelOK {
		b.Details[name] = checkDetail{l.String(), l, map[string]string{id: text}}
	}
	if l > b.worst {
		b.worst = l
	}
	b.Status = b.worst.String()
}

func (h *Handler) heartbeat() *heartbeat {
	b := &heartbeat{Status: levelOK.String(), Checks: map[string]string{}, Details: map[string]checkDetail{}}
	switch h.sink.DiskState() {
	case DiskFull:
		b.check("check_disk_bytes_free", levelError, "edge.checks.E001", "disk bytes free below threshold")
	case DiskLow:
		b.check("check_disk_bytes_free", levelWarning, "telemdb.checks.W001", "disk bytes free below disk.soft_reserve")
	default:
		b.check("check_disk_bytes_free", levelOK, "", "")
	}
	switch {
	case h.sink.Lag() > h.o.MaxLag:
		b.check("check_queue_size", levelError, "telemdb.checks.E001", "decoding lags behind by more than ingest.max_lag")
	default:
		b.check("check_queue_size", levelOK, "", "")
	}
	if f, ok := h.sink.(Failer); ok && f.Failure() != nil {
		b.check("check_running", levelError, "telemdb.checks.E003", "the store has failed: "+f.Failure().Error())
	}
	if h.draining.Load() {
		b.check("check_running", levelError, "telemdb.checks.E002", "the server is shutting down")
	}
	return b
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "cannot encode the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body) // a probe that hung up needs no answer
}
