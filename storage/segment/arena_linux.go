package segment

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of a large page on most machines. Where it is another, arenas begin at a multiple of this all the same.
const hugePage = 2 << 20

// mapArena returns n zeroed bytes of anonymous memory, which the Go collector neither sees nor counts. Those that have room for
// a large page are asked for in such pages, and begin where one may: a scan of plain numbers in small ones spends a third of its
// time on translating their addresses. The last bytes, that fill none, lie in small ones: an arena takes no more memory than n.
func mapArena(n int) ([]byte, error) {
	room := uintptr(n)
	if n >= hugePage {
		room += hugePage
	}
	p, err := unix.MmapPtr(-1, 0, nil, room, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil || n < hugePage {
		return arenaAt(p, n), err
	}
	head := -uintptr(p) & (hugePage - 1)
	arena := unsafe.Add(p, head)
	// What these refuse, is taken and never used (address space, no memory), or lies in small pages.
	if head > 0 {
		_ = unix.MunmapPtr(p, head)
	}
	_ = unix.MunmapPtr(unsafe.Add(arena, n), room-head-uintptr(n))
	b := arenaAt(arena, n)
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	return b, nil
}

func arenaAt(p unsafe.Pointer, n int) []byte {
	if p == nil {
		return nil
	}
	return unsafe.Slice((*byte)(p), n)
}

func unmapArena(b []byte) error {
	return unix.MunmapPtr(arenaAddress(b), uintptr(len(b)))
}

func arenaAddress(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }
