package segment

import "testing"

// TestAnArenaIsAsLargeAsAskedForAndBeginsWhereALargePageMay writes all of arenas of many sizes, with and without room for large
// pages, several at once, and gives them back.
func TestAnArenaIsAsLargeAsAskedForAndBeginsWhereALargePageMay(t *testing.T) {
	sizes := []int{pageSize, arenaBytesMin, hugePage - pageSize, hugePage, hugePage + pageSize, 3*hugePage + 5*pageSize, arenaBytesMax}
	var arenas [][]byte
	for k, n := range sizes {
		b, err := mapArena(n)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) != n || cap(b) != n {
			t.Fatalf("%d of %d bytes, not %d", len(b), cap(b), n)
		}
		if n >= hugePage && uintptr(arenaAddress(b))%hugePage != 0 {
			t.Errorf("an arena of %d bytes begins at %p", n, b)
		}
		for i := range b {
			if b[i] != 0 {
				t.Fatalf("byte %d of an arena of %d is not zero", i, n)
			}
			b[i] = byte(k + 1)
		}
		arenas = append(arenas, b)
	}
	for k, b := range arenas {
		for i := range b {
			if b[i] != byte(k+1) {
				t.Fatalf("byte %d of an arena of %d bytes is that of another", i, len(b))
			}
		}
		if err := unmapArena(b); err != nil {
			t.Error(err)
		}
	}
}
