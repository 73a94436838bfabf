package storage

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/telemdb/telemdb/storage/column"
	"github.com/telemdb/telemdb/storage/types"
	"github.com/telemdb/telemdb/storage/vec"
)

// The tests' submissions are short texts, "table key day channel member value", and their decoder is this file: it makes
// a row, or an error row where the value is no number. What the store must make of a list of them is easy to say.

func testPayload(table, key string, day int, channel, member, value string) []byte {
	return []byte(strings.Join([]string{table, key, strconv.Itoa(day), channel, member, value}, " "))
}

type testDecoder struct{ env DecodeEnv }

func newTestDecoder(env DecodeEnv) (Decoder, error) { return &testDecoder{env}, nil }

func (d *testDecoder) NewWorker() DecodeWorker { return d }

func (d *testDecoder) Route(payload []byte) types.TableName {
	table, _, _ := bytes.Cut(payload, []byte(" "))
	if len(table) == 0 {
		return ErrorsTable
	}
	return types.TableName{Schema: "telemetry", Name: string(table)}
}

func (d *testDecoder) Decode(payload []byte, lsn uint64, out *Decoded) {
	f := strings.Fields(string(payload))
	day := int64(0)
	if len(f) == 6 {
		day, _ = strconv.ParseInt(f[2], 10, 64)
	}
	value, err := strconv.ParseInt(f[len(f)-1], 10, 64)
	out.Partition = day
	d.system(&out.Row, lsn, day)
	if err != nil || len(f) != 6 {
		out.Table = ErrorsTable
		d.text(&out.Row, "reason", "not a number")
		return
	}
	out.Table = d.Route(payload)
	if err := d.env.Admit(out.Table); err != nil {
		out.Table = ErrorsTable
		d.text(&out.Row, "reason", err.Error())
		return
	}
	out.Key = append(out.Key, out.Table.Name+"/"+f[1]...)
	d.text(&out.Row, "document_id", f[1])
	d.text(&out.Row, "normalized_channel", f[3])
	if col := strings.ToLower(f[4]); d.env.ColumnFor(out.Table, f[4], col) {
		out.Row.Int(d.env.Paths.Child(0, col), value)
	} else {
		out.Row.Int(d.env.Paths.Intern(types.MakePath("additional_properties", f[4])), value)
	}
}

func (d *testDecoder) Duplicate(payload []byte, lsn, first uint64, row *column.RowBuf) {
	day, _ := strconv.ParseInt(strings.Fields(string(payload))[2], 10, 64)
	d.system(row, lsn, day)
	row.Int(d.env.Paths.Child(0, "first"), int64(first))
}

func (d *testDecoder) system(row *column.RowBuf, lsn uint64, day int64) {
	row.Int(d.env.Paths.Child(0, types.ColLSN), int64(lsn))
	row.Int(d.env.Paths.Child(0, "submission_date"), day)
}

func (d *testDecoder) text(row *column.RowBuf, col, v string) { row.Text(d.env.Paths.Child(0, col), v) }

func testSystemTables() []*types.Table {
	return []*types.Table{
		{Schema: "telemdb", Name: "errors", Kind: types.TableErrors, PartitionBy: "submission_date", Columns: []types.Column{
			{Name: "submission_date", Type: types.Of(types.Date)}, {Name: "reason", Type: types.Of(types.Text)}, lsnColumn}},
		{Schema: "telemdb", Name: "duplicates", Kind: types.TableErrors, PartitionBy: "submission_date", Columns: []types.Column{
			{Name: "submission_date", Type: types.Of(types.Date)}, {Name: "first", Type: types.Of(types.Int64)}, lsnColumn}},
	}
}

// testRollup counts the pings of telemetry.main, and sums their member "v", by channel.
type testRollup struct{}

func (testRollup) States() *types.Table {
	return &types.Table{
		Schema: "rollups", Name: "by_channel", Kind: types.TableStates, SortKey: []string{"channel"},
		Columns: []types.Column{
			{Name: "channel", Type: types.Of(types.Text)}, {Name: "count", Type: types.Of(types.Int64)}, {Name: "sum", Type: types.Of(types.Int64)},
		},
	}
}

func (testRollup) Source() types.TableName { return types.TableName{Schema: "telemetry", Name: "main"} }

func (testRollup) Reads() []types.Path { return []types.Path{"normalized_channel", "v"} }

type testState struct{ count, sum int64 }

func (testRollup) Build(g column.Group, rows []uint16) ([]column.Group, error) {
	channel, err := wholeColumn(g, "normalized_channel", types.LeafText)
	if err != nil {
		return nil, err
	}
	v, err := wholeColumn(g, "v", types.LeafInt)
	if err != nil {
		return nil, err
	}
	sums := map[string]testState{}
	for _, r := range rows {
		s := sums[string(channel.Bytes(int(r)))]
		sums[string(channel.Bytes(int(r)))] = testState{s.count + 1, s.sum + v.Int(int(r))}
	}
	return testStates(sums), nil
}

func (testRollup) Merge(in []column.Group) ([]column.Group, error) {
	sums := map[string]testState{}
	for _, g := range in {
		channel, err := wholeColumn(g, "channel", types.LeafText)
		if err != nil {
			return nil, err
		}
		count, err := wholeColumn(g, "count", types.LeafInt)
		if err != nil {
			return nil, err
		}
		sum, err := wholeColumn(g, "sum", types.LeafInt)
		if err != nil {
			return nil, err
		}
		for r := range g.Rows() {
			s := sums[string(channel.Bytes(r))]
			sums[string(channel.Bytes(r))] = testState{s.count + count.Int(r), s.sum + sum.Int(r)}
		}
	}
	return testStates(sums), nil
}

func (r testRollup) Subtract(plus, minus []column.Group) ([]column.Group, error) {
	sums := map[string]testState{}
	for sign, in := range map[int64][]column.Group{1: plus, -1: minus} {
		added, err := r.Merge(in)
		if err != nil {
			return nil, err
		}
		for _, g := range added {
			channel, err := wholeColumn(g, "channel", types.LeafText)
			if err != nil {
				return nil, err
			}
			count, err := wholeColumn(g, "count", types.LeafInt)
			if err != nil {
				return nil, err
			}
			sum, err := wholeColumn(g, "sum", types.LeafInt)
			if err != nil {
				return nil, err
			}
			for i := range g.Rows() {
				k := string(channel.Bytes(i))
				sums[k] = testState{sums[k].count + sign*count.Int(i), sums[k].sum + sign*sum.Int(i)}
			}
		}
	}
	for k, s := range sums {
		if s.count < 0 {
			return nil, fmt.Errorf("more was subtracted from %s than there is", k)
		}
		if s.count == 0 {
			delete(sums, k)
		}
	}
	return testStates(sums), nil
}

func testStates(sums map[string]testState) []column.Group {
	if len(sums) == 0 {
		return nil
	}
	var channel, count, sum vec.Vector
	channel.Reset(types.Of(types.Text))
	count.Reset(types.Of(types.Int64))
	sum.Reset(types.Of(types.Int64))
	keys := make([]string, 0, len(sums))
	for k := range sums {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		channel.AppendString(k)
		count.AppendInt(sums[k].count)
		sum.AppendInt(sums[k].sum)
	}
	m := column.NewMem(len(keys))
	m.Add("channel", types.LeafText, &channel)
	m.Add("count", types.LeafInt, &count)
	m.Add("sum", types.LeafInt, &sum)
	return []column.Group{m}
}

// wholeColumn reads a column; one that is not there is all NULL.
func wholeColumn(g column.Group, p types.Path, leaf types.Leaf) (*vec.Vector, error) {
	out, block := &vec.Vector{}, vec.Vector{}
	out.Reset(leaf.Type())
	c, ok := g.Find(p, leaf)
	for from := 0; from < g.Rows(); from += vec.BlockRows {
		to := min(from+vec.BlockRows, g.Rows())
		if ok {
			if err := c.Read(from, to, &block); err != nil {
				return nil, err
			}
		}
		for i := range to - from {
			if ok {
				out.AppendFrom(&block, i)
			} else {
				out.AppendNull()
			}
		}
	}
	return out, nil
}

// readTable returns the rows of a table as texts, "column=value" in the order of columns, by _lsn; several rows of one
// LSN come in the order of the source.
func readTable(sn *Snapshot, n types.TableName) (map[int64][]string, error) {
	out := map[int64][]string{}
	for _, t := range sn.Tables() {
		if t.FullName() != n {
			continue
		}
		src, err := sn.Source(t)
		if err != nil {
			return nil, err
		}
		for _, m := range src.Morsels() {
			if err := readMorsel(m, out); err != nil {
				return nil, fmt.Errorf("%s: %w", m.Origin(), err)
			}
		}
	}
	return out, nil
}

func readMorsel(m column.Morsel, out map[int64][]string) error {
	g, err := m.Open()
	if err != nil {
		return err
	}
	if g.Rows() != m.Rows() {
		return fmt.Errorf("%d rows, the morsel says %d", g.Rows(), m.Rows())
	}
	rows, lsns := make([]string, g.Rows()), make([]int64, g.Rows())
	for _, c := range g.Under("") {
		v, err := wholeColumn(g, c.Path(), c.Leaf())
		if err != nil {
			return err
		}
		for i := range rows {
			switch {
			case v.Null(i):
			case c.Path() == types.ColLSN:
				lsns[i] = v.Int(i)
			case c.Leaf() == types.LeafInt:
				rows[i] += fmt.Sprintf(" %s=%d", c.Path(), v.Int(i))
			case c.Leaf() == types.LeafFloat:
				rows[i] += fmt.Sprintf(" %s=%x", c.Path(), math.Float64bits(v.Float(i)))
			case c.Leaf() == types.LeafBool:
				rows[i] += fmt.Sprintf(" %s=%t", c.Path(), v.Bool(i))
			default:
				rows[i] += fmt.Sprintf(" %s=%s", c.Path(), v.Bytes(i))
			}
		}
	}
	dead := m.Deleted()
	for i, lsn := range lsns {
		if dead != nil && dead.Get(i) {
			continue
		}
		out[lsn] = append(out[lsn], strings.TrimSpace(rows[i]))
	}
	return nil
}

// expected says where each of the submissions, by LSN, must be: table -> LSN -> row. Only "v" and "V" claim the same
// column; who was first is not fixed, so both spellings are given back.
type expected map[string]map[int64]string

func expect(subs map[uint64]string) expected {
	lsns := make([]uint64, 0, len(subs))
	for lsn := range subs {
		lsns = append(lsns, lsn)
	}
	slices.Sort(lsns)
	out, first := expected{}, map[string]uint64{}
	put := func(table string, lsn uint64, row string) {
		if out[table] == nil {
			out[table] = map[int64]string{}
		}
		out[table][int64(lsn)] = row
	}
	for _, lsn := range lsns {
		f := strings.Fields(subs[lsn])
		if _, err := strconv.Atoi(f[5]); err != nil {
			put("telemdb.errors", lsn, "reason=not a number submission_date="+f[2])
			continue
		}
		key := f[0] + "/" + f[1]
		if first[key] != 0 {
			put("telemdb.duplicates", lsn, fmt.Sprintf("first=%d submission_date=%s", first[key], f[2]))
			continue
		}
		first[key] = lsn
		put("telemetry."+f[0], lsn, fmt.Sprintf("document_id=%s normalized_channel=%s submission_date=%s %s=%s", f[1], f[3], f[2], f[4], f[5]))
	}
	return out
}

// checkRows compares what a snapshot has with what it must have.
func checkRows(sn *Snapshot, subs map[uint64]string) error { return checkRowsBut(sn, subs, nil) }

// checkRowsBut is checkRows where the rows of some records were deleted. Their documents are known still.
func checkRowsBut(sn *Snapshot, subs map[uint64]string, gone map[uint64]bool) error {
	want := expect(subs)
	for _, rows := range want {
		for lsn := range rows {
			if gone[uint64(lsn)] {
				delete(rows, lsn)
			}
		}
	}
	for _, t := range sn.Tables() {
		if t.Kind != types.TablePing && t.Kind != types.TableErrors {
			continue
		}
		got, err := readTable(sn, t.FullName())
		if err != nil {
			return err
		}
		rows := want[t.FullName().String()]
		for lsn, texts := range got {
			if len(texts) != 1 || texts[0] != rows[lsn] {
				return fmt.Errorf("%s record %d: got %q, want %q (payload %q)", t.FullName(), lsn, texts, rows[lsn], subs[uint64(lsn)])
			}
		}
		for lsn := range rows {
			if len(got[lsn]) == 0 {
				return fmt.Errorf("%s lacks record %d: %q", t.FullName(), lsn, subs[uint64(lsn)])
			}
		}
		delete(want, t.FullName().String())
	}
	for table, rows := range want {
		if len(rows) == 0 {
			continue
		}
		return fmt.Errorf("table %s is not there and should have %d rows", table, len(rows))
	}
	return nil
}

// checkRollup compares the roll-up at a snapshot with a recomputation from the snapshot's rows.
func checkRollup(sn *Snapshot) error {
	r := testRollup{}
	in, err := sn.RollupInputs(r)
	if err != nil {
		return err
	}
	parts, err := openMorsels(in.States)
	if err != nil {
		return err
	}
	minus, err := openMorsels(in.Minus)
	if err != nil {
		return err
	}
	var raw []column.Group
	for _, g := range in.Head {
		built, err := r.Build(g, allRows(g.Rows()))
		if err != nil {
			return err
		}
		parts = append(parts, built...)
	}
	for _, t := range sn.Tables() {
		if t.FullName() != r.Source() {
			continue
		}
		src, err := sn.Source(t)
		if err != nil {
			return err
		}
		for _, m := range src.Morsels() {
			g, err := m.Open()
			if err != nil {
				return err
			}
			built, err := r.Build(g, liveRows(g.Rows(), m.Deleted()))
			if err != nil {
				return err
			}
			raw = append(raw, built...)
		}
	}
	got, err := r.Subtract(parts, minus)
	if err != nil {
		return err
	}
	want, err := r.Merge(raw)
	if err != nil {
		return err
	}
	if g, w := stateText(got), stateText(want); g != w {
		return fmt.Errorf("roll-up has %s, its rows give %s", g, w)
	}
	return nil
}

func openMorsels(ms []column.Morsel) (out []column.Group, err error) {
	for _, m := range ms {
		g, err := m.Open()
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

func stateText(groups []column.Group) string {
	var b strings.Builder
	for _, g := range groups {
		channel, _ := wholeColumn(g, "channel", types.LeafText)
		count, _ := wholeColumn(g, "count", types.LeafInt)
		sum, _ := wholeColumn(g, "sum", types.LeafInt)
		for r := range g.Rows() {
			fmt.Fprintf(&b, "%s:%d:%d ", channel.Bytes(r), count.Int(r), sum.Int(r))
		}
	}
	return b.String()
}

func allRows(n int) []uint16 {
	rows := make([]uint16, n)
	for i := range rows {
		rows[i] = uint16(i)
	}
	return rows
}

// checkStore runs Check and fails on any problem.
func checkStore(s *Store) error {
	var problems []string
	if err := s.Check(func(p Problem) { problems = append(problems, p.String()) }); err != nil {
		return err
	}
	if len(problems) > 0 {
		return fmt.Errorf("check: %s", strings.Join(problems, "\n"))
	}
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
