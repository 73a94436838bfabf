package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/storage/prove"
	"github.com/telemdb/telemdb/storage/vfs"
)

// rewriteFile gives a file other content, in place.
func rewriteFile(t *testing.T, fsys vfs.FS, name string, content []byte) {
	t.Helper()
	must(t, fsys.Remove(name))
	f, err := fsys.Create(name)
	must(t, err)
	_, err = f.Write(content)
	must(t, errors.Join(err, f.Close()))
}

// TestNoFlippedOrCutByteOfTheLogIsAnAnswer changes the log of an unclean directory, which holds submissions, a transaction
// and a torn end, byte by byte. What is lost is listed as damage, or was torn off by rule: then no record in front of it is
// missing.
func TestNoFlippedOrCutByteOfTheLogIsAnAnswer(t *testing.T) {
	base := vfs.NewCrash()
	p := uncleanDirectory(t, base)
	const name = "/db/wal/0000000000000001.wal"
	whole, err := vfs.ReadFile(base, name)
	must(t, err)
	end := len(whole)
	for whole[end-1] == 0 {
		end--
	}
	stride, n := 97, int64(0)
	if prove.All() {
		stride = 1
	}
	for at := 0; at < end+16 && !t.Failed(); at += stride {
		for _, cut := range []bool{false, true} {
			fsys := base.CrashClone(rand.New(rand.NewPCG(1, 1)), 1)
			changed := slices.Clone(whole)
			if changed[at] ^= 1 << (at % 8); cut {
				changed = changed[:at]
			}
			rewriteFile(t, fsys, name, changed)
			n++
			s, err := Open("/db", testOptions(fsys, newTestClock()))
			if err != nil {
				continue
			}
			err = answersRightly(s, p)
			if err != nil && len(s.Damage()) == 0 && !onlyUnproven(s, p) {
				t.Errorf("byte %d of %d (cut: %v): no word of damage, and %v", at, end, cut, err)
			}
			must(t, s.Close())
		}
	}
	prove.Tally(t, "flips and cuts, log", n)
}

// onlyUnproven tells whether all is there but records at the end that nothing proves to have been synced: a log that loses
// them by damage cannot be told from one that a crash has torn.
func onlyUnproven(s *Store, p scenePromise) bool {
	for last := s.log.Synced(); ; last++ {
		if answersRightly(s, scenePromise{subs: upTo(p.subs, last), gone: p.gone}) == nil {
			return last >= s.logSynced
		}
		if last > 100 {
			return false
		}
	}
}

// TestEveryFlippedAndCutByteOfABackupJSONIsRefused: by verify and by restore.
func TestEveryFlippedAndCutByteOfABackupJSONIsRefused(t *testing.T) {
	base := vfs.NewCrash()
	wholeBackup(t, base)
	dirs, err := VerifyBackup(ctx, base, "/backups", func(p Problem) { t.Error(p) })
	must(t, err)
	name := path.Join(dirs[0], backupFile)
	whole, err := vfs.ReadFile(base, name)
	must(t, err)
	stride, n := 41, int64(0)
	if prove.All() {
		stride = 1
	}
	for at := 0; at < len(whole) && !t.Failed(); at += stride {
		for _, cut := range []bool{false, true} {
			changed := slices.Clone(whole)
			if changed[at] ^= 1 << (at % 8); cut {
				changed = changed[:at]
			}
			rewriteFile(t, base, name, changed)
			n++
			if b, err := readBackup(base, dirs[0]); err == nil && fmt.Sprint(b) != fmt.Sprint(mustBackup(t, whole)) {
				t.Errorf("byte %d of %d (cut: %v) makes another backup of it", at, len(whole), cut)
			}
		}
	}
	prove.Tally(t, "flips and cuts, backup.json", n)
}

func mustBackup(t *testing.T, raw []byte) *backupManifest {
	t.Helper()
	b, err := parseBackup(raw)
	must(t, err)
	return b
}
