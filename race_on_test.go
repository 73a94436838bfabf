//go:build race

package telemdb

// raceDetector tells that the tests run under it: code takes up to twenty times as long, so that short times are not judged.
const raceDetector = true
