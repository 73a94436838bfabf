package telemdb

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Every segment of a small store is damaged in turn, with the real decoder and roll-up. What submissions made is made again,
// and then every answer is right again and nothing is left to be found; rows of ordinary tables, and those of a group without
// readable LSNs of which some are deleted, are only in backups, and the
// repair says so.
func TestWhatSubmissionsMadeIsRepairedWhateverSegmentIsDamaged(t *testing.T) {
	clean := newFlipStore(t)
	repaired, refused := 0, 0
	for i, name := range clean.names {
		if !strings.HasSuffix(name, ".seg") {
			continue
		}
		what, changed := damageOf(rand.New(rand.NewPCG(uint64(i), 3)), clean.files[name])
		db, err := Open("/db", flipOptions(clean.with(name, changed)))
		if err != nil {
			t.Fatalf("%s: %s: %v", name, what, err)
		}
		waitVisible(t, db)
		if found := problems(t, db); len(found) == 0 {
			t.Fatalf("%s: %s: the check finds nothing", name, what)
		}
		said, err := flipAnswer(db, "SELECT telemdb.repair()")
		switch {
		case err != nil:
			t.Fatalf("%s: %s: %v", name, what, err)
		case strings.Contains(said, "not repaired") && strings.Contains(said, "only a backup"):
			refused++
		case strings.Contains(said, "not repaired"):
			t.Errorf("%s: %s: the repair says %s", name, what, said)
		default:
			repaired++
			for k, q := range flipQuestions {
				if got, err := flipAnswer(db, q); err != nil || got != clean.answers[k] {
					t.Errorf("%s: %s: after the repair (%s)\n%s\nanswers\n%.300s, %v\nnot\n%.300s", name, what, said, q, got, err, clean.answers[k])
				}
			}
			if found := problems(t, db); len(found) > 0 {
				t.Errorf("%s: %s: after the repair the check finds %v", name, what, found)
			}
			if got, err := flipAnswer(db, "SELECT count(*) FROM telemdb.damage WHERE state <> 'repaired'"); err != nil || got != "0\n" {
				t.Errorf("%s: %s: %s rows of damage are not repaired, %v", name, what, got, err)
			}
		}
		if err := db.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Logf("%d segments repaired, %d refused", repaired, refused)
	if repaired < 5 || refused == 0 || repaired < refused {
		t.Errorf("%d segments were repaired, %d refused: want several of pings and states, and refused those of the table events and of deleted rows without their LSNs", repaired, refused)
	}
	db, err := Open("/db", flipOptions(clean.with("", nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if said, err := flipAnswer(db, "SELECT telemdb.repair()"); err != nil || said != "nothing is damaged\n" {
		t.Errorf("of a whole store the repair says %s, %v", said, err)
	}
}

func problems(t *testing.T, db *DB) (found []string) {
	t.Helper()
	if err := db.Check(func(p Problem) { found = append(found, fmt.Sprint(p)) }); err != nil {
		t.Fatal(err)
	}
	return found
}
