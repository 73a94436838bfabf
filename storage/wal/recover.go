package wal

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/telemdb/telemdb/storage/vfs"
)

// Recovery is what Open found.
type Recovery struct {
	First, Last uint64 // LSNs of the records above floor, which the caller has to take in; 0, 0 if there are none
	Records     int    // how many
	TornBytes   int64  // cut off: a group that a crash interrupted and nobody was told of
	Damage      []Damage
}

// Damage is a range of the log that holds no valid record any more although it did. The file is left as it is.
type Damage struct {
	File           string // name in the log's directory
	Offset, Length int64
	// The LSNs that are lost, both ends included; From > To if there are none. Records up to the caller's floor are in
	// sealed segments, so that only the landfill misses them.
	From, To uint64
}

func (d Damage) String() string {
	if d.From > d.To {
		return fmt.Sprintf("%s: %d bytes at offset %d are damaged, no record is lost", d.File, d.Length, d.Offset)
	}
	return fmt.Sprintf("%s: %d bytes at offset %d are damaged, records %d to %d are lost", d.File, d.Length, d.Offset, d.From, d.To)
}

// DamageError is returned by a Reader that meets damage which Open did not report.
type DamageError struct{ Damage Damage }

func (e *DamageError) Error() string { return "log " + e.Damage.String() }

// found is a log as recovery leaves it.
type found struct {
	Recovery
	files  []*file
	number uint64 // the highest file number in use
	last   uint64 // LSN of the last valid record; floor if there is none
	next   uint64 // the first LSN to give
}

// recovery is one run over a log's directory.
type recovery struct {
	o     *Options
	floor uint64
	out   found
	scan  scanner
	buf   []byte // of the file being scanned
	tail  *file  // the last one with records or rubbish
	end   fileScan
}

func recoverDir(o *Options, floor uint64) (*found, error) {
	r := &recovery{o: o, floor: floor}
	if err := r.list(); err != nil {
		return nil, fmt.Errorf("wal: %s: %w", o.Dir, err)
	}
	start, err := r.firstNeeded()
	if err != nil {
		return nil, fmt.Errorf("wal: %w", err)
	}
	r.begin(start)
	for _, f := range slices.Clone(r.out.files[start:]) {
		if err := r.readFile(f); err != nil {
			return nil, fmt.Errorf("wal: %s: %w", f.path, err)
		}
	}
	if err := errors.Join(r.judgeTail(), r.confirm()); err != nil {
		return nil, fmt.Errorf("wal: %w", err)
	}
	r.out.last = floor
	if r.scan.known {
		r.out.last = r.scan.last
	}
	r.out.next = max(r.out.last, r.scan.proven) + 1
	r.conclude()
	return &r.out, nil
}

// list opens every file far enough to know its header. Files that a crash left without any record are removed.
func (r *recovery) list() error {
	names, err := r.o.FS.List(r.o.Dir)
	if err != nil {
		return err
	}
	removed := false
	for _, name := range names {
		number, ok := parseFileName(name)
		if !ok {
			continue
		}
		r.out.number = max(r.out.number, number)
		f, err := r.open(number)
		switch {
		case errors.Is(err, errEmpty):
			removed = true
			if err := removeFile(r.o.FS, path.Join(r.o.Dir, name)); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		default:
			r.out.files = append(r.out.files, f)
		}
	}
	slices.SortFunc(r.out.files, func(a, b *file) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	if removed {
		return r.o.FS.SyncDir(r.o.Dir)
	}
	return nil
}

// errEmpty is a file that never held a record: made ahead of time, or not even that far.
var errEmpty = errors.New("file without records")

// open reads a file's header. A file whose header is lost, but which holds something, stays as damage.
func (r *recovery) open(number uint64) (*file, error) {
	name := path.Join(r.o.Dir, fileName(number))
	info, err := r.o.FS.Stat(name)
	if err != nil {
		return nil, err
	}
	handle, err := r.o.FS.Open(name)
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	f := &file{number: number, path: name, used: info.Size, changed: info.ModTime}
	head := make([]byte, headBytes)
	if n, err := handle.ReadAt(head, 0); n < headBytes {
		if int64(n) < min(info.Size, headBytes) {
			return nil, err
		}
		return nil, errEmpty
	}
	empty, err := blank(handle, headBytes, info.Size)
	if err != nil {
		return nil, err
	}
	if empty {
		return nil, errEmpty
	}
	h, whole, err := parseHead(head)
	switch {
	case errors.Is(err, errVersion):
		return nil, err
	case err != nil || h.number != number:
		f.unreadable = true
		r.damage(Damage{File: fileName(number), Length: info.Size, From: 1})
	case !whole:
		r.damage(Damage{File: fileName(number), Length: headBytes, From: 1})
	}
	f.id, f.created = h.id, h.created
	return f, nil
}

// blank tells whether there are only zeros in [off, end). It stops at the first other byte.
func blank(f vfs.File, off, end int64) (bool, error) {
	buf := make([]byte, headBytes)
	for off < end {
		n := min(int64(len(buf)), end-off)
		if _, err := f.ReadAt(buf[:n], off); err != nil {
			return false, err
		}
		for _, c := range buf[:n] {
			if c != 0 {
				return false, nil
			}
		}
		off += n
		if len(buf) < 1<<20 {
			buf = make([]byte, 1<<20)
		}
	}
	return true, nil
}

// firstNeeded returns the index of the file in which the first record above floor is. The files before it are landfill:
// all they need is the LSN they start with.
func (r *recovery) firstNeeded() (int, error) {
	files := r.out.files
	needed := -1
	for i := len(files) - 1; i >= 0; i-- {
		f := files[i]
		var err error
		if f.first, err = r.peek(f); err != nil {
			return 0, err
		}
		if needed < 0 && f.first != 0 && f.first <= r.floor+1 {
			needed = i
		}
	}
	for i := 0; i < needed; i++ {
		files[i].last = r.floor
		if next := files[i+1].first; next > 0 {
			files[i].last = next - 1
		}
	}
	return max(needed, 0), nil
}

// peek returns the LSN of a file's first record, or 0 if there is none that is valid. A file that cannot be read is an error
// and not one without records: its records would be taken for misplaced.
func (r *recovery) peek(f *file) (uint64, error) {
	if f.unreadable {
		return 0, nil
	}
	handle, err := r.o.FS.Open(f.path)
	if err != nil {
		return 0, err
	}
	defer handle.Close()
	head := make([]byte, recordHeader)
	if _, err := handle.ReadAt(head, headBytes); err != nil {
		return 0, ignoreEOF(err)
	}
	h, ok := parseHeader(head)
	if !ok || int64(h.length) > f.used-headBytes-recordHeader {
		return 0, nil
	}
	rec := make([]byte, recordHeader+int(h.length))
	if _, err := handle.ReadAt(rec, headBytes); err != nil {
		return 0, ignoreEOF(err)
	}
	if _, _, _, ok = parseRecord(rec, f.id); !ok {
		return 0, nil
	}
	if h.flags != 0 {
		return h.lsn + 1, nil
	}
	return h.lsn, nil
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// begin sets where the scan of LSNs starts.
func (r *recovery) begin(start int) {
	r.scan.proven = max(r.floor, r.o.Proven)
	if start < len(r.out.files) {
		if first := r.out.files[start].first; first == 0 || first > r.floor+1 {
			r.scan.known, r.scan.last = true, r.floor // what is missing behind floor is missed
		}
	}
}

// readFile scans one file.
func (r *recovery) readFile(f *file) error {
	if f.unreadable {
		return nil
	}
	data, err := r.load(f)
	if err != nil {
		return err
	}
	s := r.scan.file(data, f.id, func(_ int64, h header, _ []byte) {
		if h.lsn > r.floor {
			if r.out.First == 0 {
				r.out.First = h.lsn
			}
			r.out.Last = h.lsn
			r.out.Records++
		}
	})
	if r.tail != nil {
		r.keepDamage(r.tail, r.end)
	}
	f.first, f.last, f.used, f.index, f.holes = s.first, s.last, s.end, s.index, s.holes
	r.tail, r.end = f, s
	return nil
}

func (r *recovery) load(f *file) ([]byte, error) {
	handle, err := r.o.FS.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	size, err := handle.Size()
	if err != nil {
		return nil, err
	}
	r.buf = slices.Grow(r.buf[:0], int(size))[:size]
	if n, err := handle.ReadAt(r.buf, 0); int64(n) < size {
		return nil, err
	}
	return r.buf, nil
}

// keepDamage reports what is wrong in a file behind which the log goes on.
func (r *recovery) keepDamage(f *file, s fileScan) {
	for _, h := range s.holes {
		r.damage(h.damage(f))
	}
	if s.garbage > 0 {
		r.damage(Damage{File: path.Base(f.path), Offset: s.end, Length: s.garbage, From: 1})
	}
}

func (h hole) damage(f *file) Damage {
	return Damage{File: path.Base(f.path), Offset: h.off, Length: h.end - h.off, From: h.from, To: h.to}
}

func (r *recovery) damage(d Damage) {
	r.out.Damage = append(r.out.Damage, d)
	r.o.Logger.Error("log is damaged", "what", d.String())
}

// judgeTail decides on the last file with anything in it: what misses records that nothing proves to have been synced is
// a torn group and is cut off; the rest is damage.
func (r *recovery) judgeTail() error {
	if r.tail == nil {
		if missing := r.scan.proven; missing > r.floor {
			r.damage(Damage{File: "no file", From: r.floor + 1, To: missing})
		}
		return nil
	}
	f, s := r.tail, &r.end
	for i, h := range s.holes {
		if h.loses() && h.from > r.scan.proven {
			return r.cutTail(i)
		}
	}
	garbage := s.garbage
	s.garbage = 0
	r.keepDamage(f, *s)
	if missing := r.scan.proven; missing > r.scan.last {
		r.damage(Damage{path.Base(f.path), s.end, garbage, r.scan.last + 1, missing})
		return nil
	}
	if garbage == 0 {
		return nil
	}
	return r.cut(f, s.end, garbage)
}

// cutTail cuts the tail at its hole i and forgets the records behind, none of which was acknowledged.
func (r *recovery) cutTail(i int) error {
	f, s, at := r.tail, r.end, r.end.holes[i]
	r.out.Records -= s.records - at.before
	r.out.Last = at.from - 1
	if r.out.Records == 0 {
		r.out.First, r.out.Last = 0, 0
	}
	r.scan.last = at.from - 1
	f.used, f.last, f.holes = at.off, at.from-1, s.holes[:i]
	if at.before == 0 {
		f.first, f.last = 0, 0
	}
	f.index = slices.DeleteFunc(s.index, func(e indexEntry) bool { return e.off >= at.off })
	r.keepDamage(f, fileScan{holes: f.holes})
	return r.cut(f, at.off, s.end+s.garbage-at.off)
}

// confirm makes durable what nothing proves to be: records of the last group that were read from the page cache but whose
// sync never came back, or came back with an error, and the mark behind them, which is proof of them and not of itself.
// From here on the log goes on in another file, and in one that is not the last even half a mark is damage. After a failed
// sync the system takes the pages for clean, so syncing is not enough: they are written again.
func (r *recovery) confirm() error {
	f := r.tail
	if f == nil || r.end.group >= f.used && r.scan.last <= r.scan.proven {
		return nil
	}
	handle, err := r.o.FS.OpenReadWrite(f.path)
	if err != nil {
		return err
	}
	if r.end.group < f.used {
		_, err = handle.WriteAt(r.buf[r.end.group:f.used], r.end.group)
	}
	if err == nil {
		err = handle.Sync()
	}
	if err = errors.Join(err, handle.Close()); err != nil {
		return fmt.Errorf("make the last records of %s durable: %w", f.path, err)
	}
	return nil
}

// cut truncates a file, durably.
func (r *recovery) cut(f *file, at, torn int64) error {
	handle, err := r.o.FS.OpenReadWrite(f.path)
	if err != nil {
		return err
	}
	err = handle.Truncate(at)
	if err == nil {
		err = handle.Sync()
	}
	if err = errors.Join(err, handle.Close()); err != nil {
		return fmt.Errorf("cut the torn end of %s: %w", f.path, err)
	}
	r.out.TornBytes += torn
	r.o.Logger.Info("cut a group off the log that a crash had interrupted", "file", f.path, "offset", at, "bytes", torn)
	return nil
}

// conclude gives files whose content is lost the LSNs between their neighbours', so that retention takes them in turn.
func (r *recovery) conclude() {
	last := uint64(0)
	for _, f := range r.out.files {
		if f.last == 0 {
			f.last = last
		}
		last = max(last, f.last)
	}
}
