package ingest

import "net/http"

// Starting answers while the log is read back: the process lives, and nothing else can be had yet. Clients keep what a
// 503 refuses and send it again.
func Starting() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path, _ := requestPath(r); path == "/__lbheartbeat__" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			w.WriteHeader(http.StatusOK)
			return
		}
		w.Header().Set("Retry-After", retryAfterSeconds)
		w.Header().Set("Connection", "close") // the next request finds the database
		http.Error(w, "the server is starting: it reads its log back", http.StatusServiceUnavailable)
	})
}
