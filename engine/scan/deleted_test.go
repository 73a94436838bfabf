package scan

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/telemdb/telemdb/engine/expr"
	"github.com/telemdb/telemdb/engine/plan"
	"github.com/telemdb/telemdb/engine/sqlstate"
	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// buried is a morsel some of whose rows have been deleted.
type buried struct {
	*morsel
	dead vec.Bitmap
}

func (m *buried) Deleted() vec.Bitmap { return m.dead }

// bury deletes each row of src with probability p in a thousand; it returns which are left, by their place.
func bury(src *source, rng *rand.Rand, p int) (left []int64) {
	for i, m := range src.morsels {
		b := &buried{morsel: m.(*morsel), dead: vec.MakeBitmap(m.Rows())}
		for r := range m.Rows() {
			if rng.IntN(1000) < p {
				b.dead.Set(r)
			} else {
				left = append(left, int64(i)<<16|int64(r))
			}
		}
		if b.dead.Count() > 0 {
			src.morsels[i] = b
		}
	}
	return left
}

func TestDeletedRowsAreReadByNobody(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	n := plan.ScanCol{Column: "n", Type: types.Of(types.Int32)}
	channel := plan.ScanCol{Column: "channel", Type: tText}
	place := plan.ScanCol{Column: types.ColRow, Type: tInt}
	whole := plan.ScanCol{Column: "payload", Type: tJSONB}
	for _, p := range []int{0, 3, 500, 997, 1000} {
		docs := randomDocs(rng, 2000+rng.IntN(3000))
		src := newSource(t, docs, 1500, rng.IntN(2) == 0)
		alive := bury(src, rng, p)
		var wantPlaces, wantN []string
		for _, id := range alive {
			wantPlaces = append(wantPlaces, fmt.Sprint(id))
			if d := docs[int(id>>16)*1500+int(id&0xffff)]; d.n > 10 {
				wantN = append(wantN, fmt.Sprint(d.n))
			}
		}
		if got := mustRead(t, src, &plan.Scan{Table: table, Read: []plan.ScanCol{place}, Out: 1}); !slices.Equal(got, wantPlaces) {
			t.Fatalf("%d in 1000 deleted: %d places, want %d", p, len(got), len(wantPlaces))
		}
		if got := mustRead(t, src, &plan.Scan{Table: table}); len(got) != len(alive) {
			t.Fatalf("%d in 1000 deleted: count of %d, want %d", p, len(got), len(alive))
		}
		over := compareCall(">", &expr.Col{Idx: 0, T: n.Type}, constant32(10))
		if got := mustRead(t, src, &plan.Scan{Table: table, Read: []plan.ScanCol{n, channel}, Out: 1, Filter: []expr.Expr{over}}); !slices.Equal(got, wantN) {
			t.Fatalf("%d in 1000 deleted: %d rows pass, want %d", p, len(got), len(wantN))
		}
		limit := int64(1 + rng.IntN(3000))
		for _, cols := range [][]plan.ScanCol{nil, {whole}} {
			got := mustRead(t, src, &plan.Scan{Table: table, Read: cols, Out: len(cols), Limit: limit})
			if len(got) != min(int(limit), len(alive)) {
				t.Fatalf("%d in 1000 deleted: LIMIT %d gives %d rows of %d", p, limit, len(got), len(alive))
			}
		}
	}
}

func TestWhollyDeletedGroupsAndBlocksAreNotRead(t *testing.T) {
	docs := make([]doc, 3*4096)
	for i := range docs {
		docs[i].n = 1
	}
	src := newSource(t, docs, 4096, false)
	full := &buried{morsel: src.morsels[0].(*morsel), dead: vec.MakeBitmap(4096)}
	full.dead.Fill(4096)
	part := &buried{morsel: src.morsels[1].(*morsel), dead: vec.MakeBitmap(4096)}
	for i := range 1024 {
		part.dead.Set(2048 + i)
	}
	src.morsels[0], src.morsels[1] = full, part
	n := plan.ScanCol{Column: "n", Type: types.Of(types.Int32)}
	rows, st, err := read(t, src, &plan.Scan{Table: table, Read: []plan.ScanCol{n}, Out: 1})
	if err != nil || len(rows) != 7*1024 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	want := Stats{Morsels: 3, MorselsPruned: 1, Blocks: 8, BlocksSkipped: 1, RowsIn: 7 * 1024, RowsDeleted: 5 * 1024, RowsOut: 7 * 1024}
	if st != want || *full.opened != 0 {
		t.Fatalf("%+v, opened %d times; want %+v and 0", st, *full.opened, want)
	}
}

// filtered is a morsel with a filter on the column channel.
type filtered struct {
	*morsel
	asked *[]string
	err   error
}

func (m *filtered) MayHold(column string, p *column.Pred) (bool, error) {
	*m.asked = append(*m.asked, column)
	return column != "channel" || m.err != nil || string(p.B) == "beta", m.err
}

func TestFiltersAreAskedForEqualitiesTheManifestHasNotDecided(t *testing.T) {
	src := newSource(t, []doc{{n: 1, channel: "beta"}, {n: 2, channel: "beta"}}, 1, false)
	asked := []string{}
	for i, m := range src.morsels {
		f := &filtered{morsel: m.(*morsel), asked: &asked}
		f.stats = map[string]column.Stats{"n": {Rows: 1, Present: 1, Bounded: true, MinI: int64(i + 1), MaxI: int64(i + 1)}}
		src.morsels[i] = f
	}
	n, channel := plan.ScanCol{Column: "n", Type: types.Of(types.Int32)}, plan.ScanCol{Column: "channel", Type: tText}
	isBeta := func(op, v string) expr.Expr { return compareCall(op, &expr.Col{Idx: 1, T: tText}, constOf(tText, v)) }
	isOne := compareCall("=", &expr.Col{Idx: 0, T: n.Type}, constant32(1))
	for _, c := range []struct {
		filter []expr.Expr
		rows   int
		asked  []string
		want   Stats
	}{
		{[]expr.Expr{isBeta("=", "beta")}, 2, []string{"channel", "channel"}, Stats{Blocks: 2}},
		{[]expr.Expr{isBeta("=", "esr")}, 0, []string{"channel", "channel"}, Stats{MorselsFiltered: 2}},
		{[]expr.Expr{isBeta(">", "a")}, 2, nil, Stats{Blocks: 2}},
		{[]expr.Expr{isOne, isBeta("=", "esr")}, 0, []string{"channel"}, Stats{MorselsPruned: 1, MorselsFiltered: 1}},
		{[]expr.Expr{isOne, isBeta("=", "beta")}, 1, []string{"channel"}, Stats{MorselsPruned: 1, Blocks: 1}},
	} {
		asked = asked[:0]
		rows, st, err := read(t, src, &plan.Scan{Table: table, Read: []plan.ScanCol{n, channel}, Out: 1, Filter: c.filter})
		c.want.Morsels, c.want.RowsIn, c.want.RowsOut = 2, 2, int64(c.rows)
		if err != nil || len(rows) != c.rows || st != c.want || !slices.Equal(asked, c.asked) {
			t.Errorf("%v: %d rows, %+v, asked %q, %v; want %d, %+v, %q", c.filter, len(rows), st, asked, err, c.rows, c.want, c.asked)
		}
	}
}

// torn is a group whose column n cannot be read in one block.
type torn struct {
	column.Group
	block int
	err   error
}

type tornColumn struct {
	column.Column
	g *torn
}

func (g *torn) Find(p types.Path, leaf types.Leaf) (column.Column, bool) {
	c, ok := g.Group.Find(p, leaf)
	if ok && p == "n" {
		c = &tornColumn{c, g}
	}
	return c, ok
}

func (c *tornColumn) Read(from, to int, dst *vec.Vector) error {
	if from/vec.BlockRows <= c.g.block && c.g.block <= (to-1)/vec.BlockRows {
		return c.g.err
	}
	return c.Column.Read(from, to, dst)
}

func TestCorruptRowsFailTheScanOrAreLeftOutAndCounted(t *testing.T) {
	bad := fmt.Errorf("file x, offset 7: %w", column.ErrCorrupt)
	source := func(err error) *source {
		docs := make([]doc, 4096)
		for i := range docs {
			docs[i] = doc{n: int64(1 + i), channel: "beta"}
		}
		src := newSource(t, docs, 2048, false)
		m := src.morsels[1].(*morsel)
		m.g = &torn{Group: m.g, block: 1, err: err}
		b := &buried{morsel: m, dead: vec.MakeBitmap(2048)}
		b.dead.Set(2047) // a dead row is no loss
		src.morsels[1] = b
		return src
	}
	n := plan.ScanCol{Column: "n", Type: types.Of(types.Int32)}
	node := &plan.Scan{Table: table, Read: []plan.ScanCol{n}, Out: 1}
	if _, _, err := read(t, source(bad), node); sqlstate.Code(err) != sqlstate.DataCorrupted || !errors.Is(err, column.ErrCorrupt) {
		t.Fatalf("%v", err)
	}
	if _, _, err := read(t, source(errors.New("input/output error")), node); sqlstate.Code(err) != sqlstate.IOError {
		t.Fatalf("%v", err)
	}
	if rows := mustRead(t, source(bad), &plan.Scan{Table: table, Read: []plan.ScanCol{{Column: "channel", Type: tText}}, Out: 1}); len(rows) != 4095 {
		t.Fatalf("%d rows without the bad column", len(rows))
	}
	readSkipping := func(src column.Source, node *plan.Scan) (rows int, sk *Skipped, err error) {
		s, err := New(&expr.Ctx{}, src, node)
		if err != nil {
			t.Fatal(err)
		}
		sk = &Skipped{}
		s.SkipCorrupt(sk)
		w := s.NewWorker(&expr.Ctx{})
		defer w.Close()
		for i := range s.Morsels() {
			err = errors.Join(err, w.Morsel(i, func(b *vec.Batch, sel vec.Bitmap) error {
				if rows += b.N; sel != nil {
					rows += sel.Count() - b.N
				}
				return nil
			}))
		}
		return rows, sk, err
	}
	if rows, sk, err := readSkipping(source(bad), node); err != nil || rows != 3072 || sk.Groups() != 1 || sk.Rows() != 1023 {
		t.Fatalf("%d rows, skipped %d of %d groups, %v", rows, sk.Rows(), sk.Groups(), err)
	}
	limited := *node
	limited.Limit = 3072
	if rows, _, err := readSkipping(source(bad), &limited); err != nil || rows != 3072 {
		t.Fatalf("LIMIT takes %d readable rows, %v", rows, err)
	}
	if _, _, err := readSkipping(source(errors.New("input/output error")), node); sqlstate.Code(err) != sqlstate.IOError {
		t.Fatalf("an error that is no corruption is not skipped: %v", err)
	}
}

func TestAnEqualityPrunesByWhatFollowsFromIt(t *testing.T) {
	members := &types.Table{ID: 2, Schema: "public", Name: "members", Columns: []types.Column{{Name: "name", Type: tText}, {Name: "length", Type: tInt}}}
	group := func(name string) *morsel {
		g := column.NewMem(1)
		text, num := &vec.Vector{}, &vec.Vector{}
		text.Reset(tText)
		text.AppendString(name)
		num.Reset(tInt)
		num.AppendInt(int64(len(name)))
		g.Add("name", types.LeafText, text)
		g.Add("length", types.LeafInt, num)
		return &morsel{g: g, opened: new(int), stats: map[string]column.Stats{
			"length": {Rows: 1, Present: 1, Bounded: true, MinI: int64(len(name)), MaxI: int64(len(name))}}}
	}
	src := &sampleSource{members, []column.Morsel{group("ann"), group("jo"), group("maria")}}
	list := &vec.Vector{}
	list.Reset(tText)
	list.AppendString("ann")
	list.AppendString("jo")
	name := &expr.Col{Idx: 0, T: tText}
	for _, c := range []struct {
		implied *plan.Implied
		filter  expr.Expr
		rows    int
		pruned  int64
	}{
		{nil, compareCall("=", name, constOf(tText, "jo")), 1, 0},
		{length, compareCall("=", name, constOf(tText, "jo")), 1, 2},
		{length, compareCall("=", name, constOf(tText, "al")), 0, 2},
		{length, &expr.In{Arg: name, List: list}, 2, 1},
		{length, compareCall(">", name, constOf(tText, "b")), 2, 0},
		{length, compareCall("=", name, constOf(tText, nil)), 0, 3},
	} {
		for _, cols := range [][]plan.ScanCol{{{Column: "name", Type: tText}}, {{Column: "name", Type: tText}, {Column: "length", Type: tInt}}} {
			node := &plan.Scan{Table: members, Read: cols, Out: len(cols), Filter: []expr.Expr{c.filter}, Implied: c.implied}
			rows, st, err := read(t, src, node)
			if err != nil || len(rows) != c.rows || st.MorselsPruned != c.pruned || len(node.Read) != len(cols) {
				t.Errorf("%v: %q, %+v, %v; want %d rows, %d pruned", c.filter, rows, st, err, c.rows, c.pruned)
			}
		}
	}
}

var length = &plan.Implied{From: "name", To: "length", Of: func(s []byte) int64 { return int64(len(s)) }}

type sampleSource struct {
	t       *types.Table
	morsels []column.Morsel
}

func (s *sampleSource) Table() *types.Table      { return s.t }
func (s *sampleSource) Morsels() []column.Morsel { return s.morsels }
