package telemdb

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var newGoldenStore = flag.String("new-golden-store", "", "keep a store of this version as testdata/stores/<name>.zip, if there is none of that name")

// answersFile is beside the store's files in an archive: each question, and behind it its answer.
const answersFile = "answers"

// TestStoresOfEarlierVersionsAnswerAsTheyDid opens whole directories as they were once written. An archive is never written
// again: what stands in it must stay readable. A version that changes the format adds one.
func TestStoresOfEarlierVersionsAnswerAsTheyDid(t *testing.T) {
	if *newGoldenStore != "" {
		keepStore(t, filepath.Join("testdata", "stores", *newGoldenStore+".zip"))
	}
	archives, err := filepath.Glob("testdata/stores/*.zip")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archive: %v", err)
	}
	for _, name := range archives {
		t.Run(filepath.Base(name), func(t *testing.T) {
			s, answers := unpackStore(t, name)
			for _, readOnly := range []bool{true, false} {
				fsys := s.with("", nil)
				o := flipOptions(fsys)
				o.ReadOnly = readOnly
				db, err := Open("/db", o)
				if err != nil {
					t.Fatal(err)
				}
				waitVisible(t, db)
				sameAnswers(t, db, answers, fmt.Sprintf("read only %v", readOnly))
				if !readOnly {
					// What this version makes of it answers the same.
					mustExec(t, db, "SELECT telemdb.flush()")
					for {
						did, err := db.store.MergeOnce(context.Background())
						if err != nil {
							t.Fatal(err)
						}
						if !did {
							break
						}
					}
					sameAnswers(t, db, answers, "flushed and merged")
				}
				if found := one(t, db, "SELECT place, problem FROM telemdb.check"); found != "" {
					t.Errorf("read only %v: check says %s", readOnly, found)
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				after := map[string][]byte{}
				if err := readTree(fsys, "/db", after); err != nil {
					t.Fatal(err)
				}
				if readOnly && !maps.EqualFunc(s.files, after, bytes.Equal) {
					t.Error("a reader changed the directory")
				}
			}
		})
	}
}

func sameAnswers(t *testing.T, db *DB, answers [][2]string, when string) {
	t.Helper()
	for _, a := range answers {
		got, err := flipAnswer(db, a[0])
		if err != nil || got != a[1] {
			t.Errorf("%s: %s\nanswers\n%.500s\nnot\n%.500s\n%v", when, a[0], got, a[1], err)
		}
	}
}

// keepStore writes an archive that does not exist yet.
func keepStore(t *testing.T, name string) {
	t.Helper()
	s := newFlipStore(t)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	put := func(name string, data []byte) {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range s.names {
		put(strings.TrimPrefix(n, "/"), s.files[n])
	}
	var answers strings.Builder
	for i, q := range flipQuestions {
		fmt.Fprintf(&answers, "%s\x00%s\x00", q, s.answers[i])
	}
	put(answersFile, []byte(answers.String()))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatalf("an archive is never written again: %v", err)
	}
	if _, err := f.Write(out.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func unpackStore(t *testing.T, name string) (s *flipStore, answers [][2]string) {
	t.Helper()
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	s = &flipStore{files: map[string][]byte{}}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		if f.Name != answersFile {
			s.files["/"+f.Name] = data
			continue
		}
		parts := strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
		for i := 0; i+1 < len(parts); i += 2 {
			answers = append(answers, [2]string{parts[i], parts[i+1]})
		}
	}
	if len(answers) == 0 {
		t.Fatalf("%s has no answers", name)
	}
	s.names = slices.Sorted(maps.Keys(s.files))
	return s, answers
}

// TestADirectoryOfANewerVersionIsRefusedAsItIs: by the numbers of both, and with not a byte changed.
func TestADirectoryOfANewerVersionIsRefusedAsItIs(t *testing.T) {
	s := newFlipStore(t)
	const newer = "telemdb 3\n"
	for _, readOnly := range []bool{false, true} {
		fsys := s.with("/db/FORMAT", []byte(newer))
		before, after := map[string][]byte{}, map[string][]byte{}
		if err := readTree(fsys, "/db", before); err != nil {
			t.Fatal(err)
		}
		o := flipOptions(fsys)
		o.ReadOnly = readOnly
		db, err := Open("/db", o)
		if err == nil {
			_ = db.Close()
			t.Fatal("it is opened")
		}
		for _, want := range []string{"format 3", "up to 2", "/db", "newer telemdb"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("read only %v: the error %q does not say %q", readOnly, err, want)
			}
		}
		if err := readTree(fsys, "/db", after); err != nil {
			t.Fatal(err)
		}
		if !maps.EqualFunc(before, after, bytes.Equal) {
			t.Errorf("read only %v: the directory was changed", readOnly)
		}
	}
}
