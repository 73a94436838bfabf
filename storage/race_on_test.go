//go:build race

package storage

// raceDetector: sync.Pool forgets a part of what it is given, so there is more garbage.
const raceDetector = true
