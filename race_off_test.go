//go:build !race

package telemdb

const raceDetector = false
