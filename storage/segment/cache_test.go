package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
)

// loadPattern fills dst with bytes that tell key and size.
func loadPattern(key cacheKey) func(e *cacheEntry) error {
	return func(e *cacheEntry) error {
		dst := e.data
		for i := range dst {
			dst[i] = byte(key.offset) + byte(i*7)
		}
		return nil
	}
}

func requirePattern(t *testing.T, key cacheKey, data []byte, size int) {
	t.Helper()
	if len(data) != size {
		t.Fatalf("key %d: %d bytes, want %d", key.offset, len(data), size)
	}
	for i, b := range data {
		if b != byte(key.offset)+byte(i*7) {
			t.Fatalf("key %d: byte %d is not what was loaded", key.offset, i)
		}
	}
}

func sizeOf(key int64) int { return int(key*key*131%9000) + 1 }

func TestCacheKeepsWithinItsBudget(t *testing.T) {
	c := NewCache(1 << 20)
	defer c.Close()
	r := newRand(8)
	for range 20000 {
		key := cacheKey{1, r.Int64N(500)}
		size := sizeOf(key.offset)
		if key.offset == 77 {
			size = 300 << 10 // an arena of its own
		}
		e, err := c.get(key, size, loadPattern(key))
		if err != nil {
			t.Fatal(err)
		}
		requirePattern(t, key, e.data, size)
		e.unpin()
		if s := c.Stats(); s.Used > s.Budget {
			t.Fatalf("uses %d of %d bytes", s.Used, s.Budget)
		}
	}
	if s := c.Stats(); s.Hits == 0 || s.Evictions == 0 || s.Entries == 0 || s.Bypassed != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestPinnedBytesStayWhileOthersAreEvicted(t *testing.T) {
	const goroutines, rounds = 8, 3000
	c := NewCache(512 << 10)
	defer c.Close()
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := newRand(uint64(g))
			held := map[cacheKey]*cacheEntry{}
			for range rounds {
				key := cacheKey{1, r.Int64N(300)}
				if e := held[key]; e != nil {
					requireSame(t, key, e)
					e.unpin()
					delete(held, key)
					if data, ok := e.pin(); ok { // as a column does that remembers its entry
						if len(data) != sizeOf(key.offset) || data[0] != byte(key.offset) {
							t.Errorf("key %d: evicted bytes are shown", key.offset)
						}
						e.unpin()
					}
					continue
				}
				e, err := c.get(key, sizeOf(key.offset), loadPattern(key))
				if err != nil {
					t.Error(err)
					return
				}
				held[key] = e
				for k, e := range held {
					if len(held) > 12 {
						requireSame(t, k, e)
						e.unpin()
						delete(held, k)
					}
				}
			}
			for k, e := range held {
				requireSame(t, k, e)
				e.unpin()
			}
		}()
	}
	wg.Wait()
	for _, a := range c.arenas {
		if n := a.pins.Load(); n != 0 {
			t.Errorf("an arena is pinned %d times at the end", n)
		}
	}
}

// requireSame is requirePattern without stopping a goroutine that is not the test's.
func requireSame(t *testing.T, key cacheKey, e *cacheEntry) {
	if len(e.data) != sizeOf(key.offset) {
		t.Errorf("key %d: %d bytes", key.offset, len(e.data))
	}
	for i, b := range e.data {
		if b != byte(key.offset)+byte(i*7) {
			t.Errorf("key %d: byte %d changed while pinned", key.offset, i)
			return
		}
	}
}

func TestCacheReadsPastItselfWhenAllIsPinned(t *testing.T) {
	c := NewCache(256 << 10)
	defer c.Close()
	var held []*cacheEntry
	for i := range int64(100) {
		key := cacheKey{1, i}
		e, err := c.get(key, 20<<10, loadPattern(key))
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, e)
	}
	for i, e := range held {
		requirePattern(t, cacheKey{1, int64(i)}, e.data, 20<<10)
		e.unpin()
	}
	if s := c.Stats(); s.Bypassed == 0 || s.Used > s.Budget {
		t.Errorf("got %+v", s)
	}
}

func TestFailedLoadLeavesNothing(t *testing.T) {
	c := NewCache(1 << 20)
	defer c.Close()
	key := cacheKey{1, 5}
	boom := errors.New("boom")
	if _, err := c.get(key, 100, func(*cacheEntry) error { return boom }); !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	e, err := c.get(key, 100, loadPattern(key))
	if err != nil {
		t.Fatal(err)
	}
	requirePattern(t, key, e.data, 100)
	e.unpin()
}

func TestOneOfManyLoads(t *testing.T) {
	c := NewCache(1 << 20)
	defer c.Close()
	key := cacheKey{1, 5}
	loads := 0 // written by the one loader, read after all are done
	var wg sync.WaitGroup
	for range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			e, err := c.get(key, 8, func(e *cacheEntry) error {
				loads++
				binary.LittleEndian.PutUint64(e.data, 42)
				return nil
			})
			if err != nil || binary.LittleEndian.Uint64(e.data) != 42 {
				t.Error(fmt.Sprint("wrong bytes, ", err))
				return
			}
			e.unpin()
		}()
	}
	wg.Wait()
	if loads != 1 {
		t.Errorf("loaded %d times", loads)
	}
}
