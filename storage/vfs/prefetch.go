package vfs

// Prefetcher is what a File has besides if it can be asked to fetch bytes before they are read.
type Prefetcher interface {
	// Prefetch begins to bring n bytes at an offset into memory and does not wait for them. It is a hint: it may do
	// nothing, and tells no errors.
	Prefetch(at, n int64)
}

// Prefetch asks the file to fetch bytes, if it can. Many are fetched at the same time, so asking for all before reading
// the first costs a fraction of reading them one after the other.
func Prefetch(f File, at, n int64) {
	if p, ok := f.(Prefetcher); ok && n > 0 {
		p.Prefetch(at, n)
	}
}

// Prefetch implements Prefetcher.
func (f *osFile) Prefetch(at, n int64) { prefetch(f.f, at, n) }
