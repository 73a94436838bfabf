package wal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/vfs"
)

// flip changes one byte of a file.
func flip(t testing.TB, fsys vfs.FS, name string, off int64) {
	t.Helper()
	f, err := fsys.OpenReadWrite(name)
	must(t, err)
	var b [1]byte
	_, err = f.ReadAt(b[:], off)
	must(t, err)
	b[0] ^= 0x5a
	_, err = f.WriteAt(b[:], off)
	must(t, err)
	must(t, f.Close())
}

// cleanLog makes a closed log of n records over several files and returns where each record starts.
func cleanLog(t testing.TB, n int) (fsys *vfs.Crash, at map[uint64]RecordInfo, file map[uint64]string) {
	t.Helper()
	fsys = newFS(t)
	l, _ := open(t, small(fsys), 0)
	for i := 1; i <= n; i++ {
		appendOne(t, l, payloadOf(i))
	}
	must(t, l.Close())
	at, file = map[uint64]RecordInfo{}, map[uint64]string{}
	for _, f := range l.Files() {
		name := path.Join(testDir, f.Name)
		_, damage, err := Inspect(fsys, name, func(r RecordInfo) {
			at[r.LSN], file[r.LSN] = r, name
		})
		must(t, err)
		if damage != nil {
			t.Fatal(damage)
		}
	}
	if len(at) != n || n >= 30 && file[1] == file[uint64(n)] {
		t.Fatalf("%d records", len(at))
	}
	return fsys, at, file
}

// lsns reads everything that is left, counting the damage met.
func lsns(t testing.TB, l *Log, n int) (got []uint64, damage []Damage) {
	t.Helper()
	r, err := l.NewReader(1)
	must(t, err)
	defer r.Close()
	for next := 1; next <= n; {
		rec, err := r.Next(context.Background())
		var d *DamageError
		if errors.As(err, &d) {
			damage = append(damage, d.Damage)
			next = int(d.Damage.To) + 1
			continue
		}
		must(t, err)
		if string(rec.Payload) != payloadOf(int(rec.LSN)) {
			t.Fatalf("record %d is wrong", rec.LSN)
		}
		got = append(got, rec.LSN)
		next = int(rec.LSN) + 1
	}
	return got, damage
}

func allBut(n int, lost uint64) []uint64 {
	var out []uint64
	for i := uint64(1); i <= uint64(n); i++ {
		if i != lost {
			out = append(out, i)
		}
	}
	return out
}

// Every byte of a record's header, and bytes of the payload, of records at the start, in the middle and at the end of a
// file and of the log.
func TestADamagedRecordIsReportedAndTheOthersStay(t *testing.T) {
	const n = 30
	_, at, file := cleanLog(t, n)
	for _, lsn := range []uint64{1, 2, 15, 29, n} {
		for b := int64(0); b < recordHeader+3; b++ {
			fsys, at2, _ := cleanLog(t, n)
			if at2[lsn].Offset != at[lsn].Offset {
				t.Fatal("the log is not deterministic")
			}
			off := at[lsn].Offset + b
			flip(t, fsys, file[lsn], off)
			l, rec := open(t, small(fsys), 0)
			what := fmt.Sprintf("byte %d of record %d", b, lsn)
			if len(rec.Damage) != 1 || rec.Damage[0].From != lsn || rec.Damage[0].To != lsn || rec.TornBytes != 0 ||
				rec.Damage[0].File != path.Base(file[lsn]) {
				t.Fatalf("%s: %+v", what, rec)
			}
			if d := rec.Damage[0]; lsn < n && (d.Offset != at[lsn].Offset || d.Length != at[lsn].Size) {
				t.Fatalf("%s: %v", what, d)
			}
			if rec.Records != n-1 || l.Synced() != n {
				t.Fatalf("%s: %+v, synced %d", what, rec, l.Synced())
			}
			if next := appendOne(t, l, payloadOf(n+1)); next != n+1 {
				t.Fatalf("%s: the next LSN is %d", what, next)
			}
			got, damage := lsns(t, l, n+1)
			if want := allBut(n+1, lsn); !slices.Equal(got, want) || damage != nil {
				t.Fatalf("%s: read %v, %v", what, got, damage)
			}
			must(t, l.Close())
			_, found, err := Check(fsys, testDir)
			must(t, err)
			if len(found) == 0 {
				t.Fatalf("%s: Check finds nothing", what)
			}
		}
	}
}

func TestDamageBehindTheFloorIsMetByTheReaderThatGetsThere(t *testing.T) {
	const n = 30
	fsys, at, file := cleanLog(t, n)
	flip(t, fsys, file[2], at[2].Offset+40)
	l, rec := open(t, small(fsys), n) // all sealed: the file is not scanned
	if rec.Damage != nil {
		t.Fatalf("%+v", rec)
	}
	got, damage := lsns(t, l, n)
	if !slices.Equal(got, allBut(n, 2)) || len(damage) != 1 || damage[0].From != 2 || damage[0].To != 2 {
		t.Fatalf("read %v, %v", got, damage)
	}
	must(t, l.Close())
}

func TestDamageUnderAnOpenLogIsAnErrorAndNotAnAnswer(t *testing.T) {
	fsys := newFS(t)
	l, _ := open(t, small(fsys), 0)
	for i := 1; i <= 10; i++ {
		appendOne(t, l, payloadOf(i))
	}
	flip(t, fsys, path.Join(testDir, l.Files()[0].Name), headBytes+recordHeader+2)
	got, damage := lsns(t, l, 10)
	if !slices.Equal(got, allBut(10, 1)) || len(damage) != 1 || damage[0].From != 1 {
		t.Fatalf("read %v, %v", got, damage)
	}
	must(t, l.Close())
}

func TestOneOfTwoFileHeadersIsEnough(t *testing.T) {
	const n = 10
	for _, copyAt := range []int64{0, headCopy} {
		for b := range int64(40) {
			fsys, _, file := cleanLog(t, n)
			flip(t, fsys, file[n], copyAt+b)
			l, rec := open(t, small(fsys), 0)
			if len(rec.Damage) != 1 || rec.Damage[0].loses() || rec.Records != n {
				t.Fatalf("byte %d: %+v", copyAt+b, rec)
			}
			must(t, l.Close())
		}
	}
}

func (d Damage) loses() bool { return d.From <= d.To }

func TestAFileWithoutHeaderIsDamage(t *testing.T) {
	const n = 30
	fsys, _, file := cleanLog(t, n)
	victim := file[15]
	flip(t, fsys, victim, 17)
	flip(t, fsys, victim, headCopy+17)
	l, rec := open(t, small(fsys), 0)
	lost := 0
	for _, f := range file {
		if f == victim {
			lost++
		}
	}
	if rec.Records != n-lost || len(rec.Damage) != 2 {
		t.Fatalf("%d lost: %+v", lost, rec)
	}
	l.SetMark(n)
	must(t, l.Close())
	if info, err := fsys.Stat(victim); err != nil || info.Size == 0 {
		t.Fatalf("the damaged file is not kept: %v", err)
	}
}

func TestAFileOfANewerVersionIsRefusedUntouched(t *testing.T) {
	fsys, _, file := cleanLog(t, 10)
	f, err := fsys.OpenReadWrite(file[1])
	must(t, err)
	h := fileHeader{number: 1, id: 7}.head()
	h[8]++ // version
	sum := fixHeadChecksum(h)
	for _, off := range []int64{0, headCopy} {
		_, err = f.WriteAt(sum, off)
		must(t, err)
	}
	was, err := vfs.ReadFile(fsys, file[1])
	must(t, err)
	_, _, err = Open(small(fsys), 0)
	wantErr(t, "newer version", err, errVersion)
	_, _, err = Check(fsys, testDir)
	wantErr(t, "newer version", err, errVersion)
	if now, err := vfs.ReadFile(fsys, file[1]); err != nil || !bytes.Equal(now, was) {
		t.Fatal("it was touched")
	}
}

// A log that stopped without Close, cut at every length of its last record, loses that record at most, and quietly: it is
// what a crash in the middle of its write leaves. (Had it been acknowledged, its bytes would be there.)
func TestATornEndIsCutOff(t *testing.T) {
	const n = 5
	for cut := int64(1); cut < recordHeader+40; cut += 3 {
		fsys := newFS(t)
		l, _ := open(t, small(fsys), 0)
		for i := 1; i <= n; i++ {
			appendOne(t, l, payloadOf(i))
		}
		crashed := fsys.CrashClone(rand.New(rand.NewPCG(1, 1)), 0)
		must(t, l.Close())
		var last RecordInfo
		name := path.Join(testDir, l.Files()[0].Name)
		_, _, err := Inspect(crashed, name, func(r RecordInfo) { last = r })
		must(t, err)
		f, err := crashed.OpenReadWrite(name)
		must(t, err)
		must(t, f.Truncate(last.Offset+cut))
		must(t, f.Close())
		l, rec := open(t, small(crashed), 0)
		if rec.Damage != nil || rec.Records != n-1 || rec.TornBytes == 0 {
			t.Fatalf("cut at %d: %+v", cut, rec)
		}
		if lsn := appendOne(t, l, payloadOf(n)); lsn != n {
			t.Fatalf("LSN %d", lsn)
		}
		must(t, l.Close())
		l, rec = open(t, small(crashed), 0)
		if rec.Damage != nil || rec.Records != n || rec.TornBytes != 0 {
			t.Fatalf("cut at %d, later: %+v", cut, rec)
		}
		must(t, l.Close())
	}
}

// A crash may keep the second record of an interrupted group and not the first. Neither was acknowledged, so neither
// comes back: LSNs stay dense.
func TestAGroupTornInItsMiddleIsCutOffWhole(t *testing.T) {
	fsys := newFS(t)
	id := uint64(77)
	group := func(b []byte, synced uint64, lsns ...uint64) []byte {
		for _, lsn := range lsns {
			p := []byte(payloadOf(int(lsn)))
			rec := make([]byte, recordSize(len(p)))
			copy(rec[recordHeader:], p)
			stamp(rec, header{lsn: lsn, length: uint32(len(p)), behind: uint32(lsn - synced)}, payloadChecksum(p), id)
			b = append(b, rec...)
		}
		return b
	}
	data := fileHeader{number: 1, id: id}.head()
	data = group(data, 0, 1)
	data = group(data, 1, 2, 3)
	torn := len(data)
	data = group(data, 3, 4, 5, 6)
	clear(data[torn : torn+recordSize(len(payloadOf(4)))])
	f, err := fsys.Create(path.Join(testDir, fileName(1)))
	must(t, err)
	_, err = f.Write(data)
	must(t, err)
	must(t, f.Close())
	l, rec := open(t, small(fsys), 0)
	if rec.Records != 3 || rec.Last != 3 || rec.Damage != nil || rec.TornBytes != int64(len(data)-torn) {
		t.Fatalf("%+v", rec)
	}
	if lsn := appendOne(t, l, payloadOf(4)); lsn != 4 {
		t.Fatalf("LSN %d", lsn)
	}
	if got, _ := lsns(t, l, 4); !slices.Equal(got, []uint64{1, 2, 3, 4}) {
		t.Fatalf("%v", got)
	}
	must(t, l.Close())
}

func TestAMissingFileIsReportedOnce(t *testing.T) {
	const n = 40
	fsys, _, file := cleanLog(t, n)
	victim := file[12]
	must(t, fsys.Remove(victim))
	l, rec := open(t, small(fsys), 0)
	if len(rec.Damage) != 1 || !rec.Damage[0].loses() {
		t.Fatalf("%+v", rec)
	}
	must(t, l.Close())
	last := file[n]
	must(t, fsys.Remove(last))
	l, rec = open(t, small(fsys), n) // the end is gone, but sealed up to n
	if len(rec.Damage) != 1 || rec.Damage[0].To != n {
		t.Fatalf("%+v", rec)
	}
	if lsn := appendOne(t, l, "x"); lsn != n+1 {
		t.Fatalf("LSN %d", lsn)
	}
	must(t, l.Close())
	l, rec = open(t, small(fsys), n)
	if rec.Damage != nil || rec.Records != 1 || rec.First != n+1 {
		t.Fatalf("the second recovery: %+v", rec)
	}
	must(t, l.Close())
}

// Whatever the bytes are, a scan ends, says nothing that is not under a checksum, and accounts for every byte.
func FuzzScan(f *testing.F) {
	fsys, _, file := cleanLog(f, 12)
	data, err := vfs.ReadFile(fsys, file[1])
	must(f, err)
	h, _, err := parseHead(data)
	must(f, err)
	f.Add(data[headBytes:], 0, byte(0))
	f.Add(data[headBytes:], 30, byte(1))
	f.Add(bytes.Repeat([]byte{recordMagic}, 500), 8, byte(9))
	f.Fuzz(func(t *testing.T, body []byte, at int, x byte) {
		file := append(make([]byte, headBytes), body...)
		if len(body) > 0 {
			file[headBytes+uint(at)%uint(len(body))] ^= x
		}
		var s scanner
		last := uint64(0)
		end := int64(headBytes)
		scan := s.file(file, h.id, func(off int64, h header, payload []byte) {
			if h.lsn <= last || off < end {
				t.Fatalf("record %d at %d behind %d at %d", h.lsn, off, last, end)
			}
			last, end = h.lsn, off+recordHeader+int64(len(payload))
		})
		if scan.end > int64(len(file)) || scan.end+scan.garbage > int64(len(file)) || scan.last != last {
			t.Fatalf("%+v of %d bytes", scan, len(file))
		}
		prev := int64(0)
		for _, h := range scan.holes {
			if h.off < prev || h.end < h.off || h.off < headBytes || h.end > int64(len(file)) {
				t.Fatalf("%+v", scan.holes)
			}
			prev = h.end
		}
	})
}

func fixHeadChecksum(h []byte) []byte {
	clear(h[12:16])
	sum := crc32.Checksum(h[:headerBytes], castagnoli)
	h[12], h[13], h[14], h[15] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	return h[:headerBytes]
}

func TestTheExampleOfTheFormatIsWhatIsWritten(t *testing.T) {
	fsys := newFS(t)
	l, _ := open(t, small(fsys), 0)
	_, err := l.Append(context.Background(), 1, []byte("ping"))
	must(t, err)
	must(t, l.Close())
	data, err := vfs.ReadFile(fsys, path.Join(testDir, fileName(1)))
	must(t, err)
	doc, err := os.ReadFile("FORMAT.md")
	must(t, err)
	_, example, ok := strings.Cut(string(doc), "from offset 4096:")
	var want strings.Builder
	for _, line := range strings.Split(example, "\n")[1:] {
		if hex, _, _ := strings.Cut(strings.TrimPrefix(line, "    "), "   "); strings.HasPrefix(line, "    ") {
			want.WriteString(strings.Join(strings.Fields(hex), "") + "\n")
		}
	}
	got := ""
	for _, r := range []struct{ off, n int }{{0, 24}, {24, 8}, {32, 24}} {
		b := data[headBytes+r.off:][:r.n]
		hex := fmt.Sprintf("%x", b)
		if r.n == 24 {
			hex = hex[:8] + "xxxxxxxx" + hex[16:]
		}
		got += hex + "\n"
	}
	if !ok || got != want.String() {
		t.Fatalf("FORMAT.md has\n%swritten is\n%s", want.String(), got)
	}
}
