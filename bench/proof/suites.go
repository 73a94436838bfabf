package main

// suite is one kind of proof. It is `go test` over packages, or special.
type suite struct {
	name     string
	about    string
	packages []string
	run      string // -run
	tags     bool   // with internal invariants on
	race     bool
	count    string // the environment variable that says how much, if not TELEMDB_SEEDS
	ci       amount // how much at every change
	full     amount // how much for a release
	asked    string // what domain/reliability.md asks of a release, for the page
	special  func(r *runner, o *outcome) (detail string, err error)
}

// amount is a number, and a share of minutes after which a suite that counts seeds ends early.
type amount struct {
	n       int
	minutes float64
}

var suites = []suite{
	{
		name: "powerloss", about: "random histories over log, seal, merge, delete, retention and recovery; power goes at any file operation",
		packages: []string{"./storage", "./storage/wal"}, run: "PowerLoss", tags: true,
		ci: amount{2000, 4}, full: amount{20_000, 25}, asked: "1,000,000 seeds",
	},
	{
		name: "wholepath", about: "the same with the real decoder and roll-up, and faults at random calls",
		packages: []string{"."}, run: "Crash|Fault", tags: true,
		ci: amount{400, 2}, full: amount{4_000, 10}, asked: "part of the above",
	},
	{
		name: "faults", about: "every file operation of a scenario fails, once and for good, with two errors",
		packages: []string{"./storage", "./storage/wal", "./storage/meta", "./storage/segment"}, run: "FileOperationMayFail|FailingOperation|EachFailing|FailedSync", tags: true,
		ci: amount{1, 0}, full: amount{1, 0}, asked: ">= 10,000 distinct",
	},
	{
		name: "scenes", about: "every call of 15 scenes of a store's life fails, recovery and reads among them; a change samples them",
		packages: []string{"./storage"}, run: "EveryCall", tags: true,
		ci: amount{0, 0}, full: amount{1, 0}, asked: "part of the above",
	},
	{
		name: "flips", about: "every field of every kind of file flipped and cut: found, named, and never an answer",
		packages: []string{"./storage/...", "."}, run: "Flip|Trunc|Corrupt|Damage", tags: true,
		ci: amount{1, 2}, full: amount{20_000, 10}, asked: "100,000",
	},
	{
		name: "kills", about: "kill -9 of the real binary under load; every acknowledged ping is there once",
		packages: []string{"./cmd/telemdb"}, run: "Kill", count: "TELEMDB_KILL_CYCLES",
		ci: amount{30, 0}, full: amount{300, 0}, asked: "2,000 cycles",
	},
	{
		name: "fulldisk", about: "a real small file system filled by us and by others, and given back",
		packages: []string{"./cmd/telemdb"}, run: "FullDisk", count: "TELEMDB_DISK_CYCLES",
		ci: amount{3, 0}, full: amount{50, 0}, asked: "50 cycles",
	},
	{
		name: "histories", about: "one history under random settings gives one answer; a model and recomputed roll-ups agree with it",
		packages: []string{"./storage/...", "./rollups", "."}, run: "Metamorphic|Recomput|History|Model", tags: true,
		ci: amount{100, 3}, full: amount{4_000, 15}, asked: "20,000 metamorphic, 50,000 roll-up histories",
	},
	{
		name: "fuzz", about: "every fuzz target in turn; targets that decode bytes from disk among them",
		ci: amount{10, 3}, full: amount{120, 30}, asked: ">= 8 h a target", special: fuzz,
	},
	{
		name: "samples", about: "tests of fast paths beside slow ones that play some of their rounds at every change play all",
		packages: []string{"./engine/op", "./storage/codec"}, run: "ScatteredGroups|SemiJoinsThatTheScan|MergedChunk", tags: true,
		ci: amount{1, 0}, full: amount{1, 0}, asked: "always",
	},
	{
		name: "sql", about: "statements recorded from PostgreSQL, asked over the wire",
		packages: []string{"./sql/sqltest"}, run: ".",
		ci: amount{1, 0}, full: amount{1, 0}, asked: "all",
	},
	{
		name: "oracle", about: "random queries over random tables: partitioned, run in other ways, and asked of PostgreSQL where there is one",
		packages: []string{"./sql/oracle"}, run: "Random",
		ci: amount{2000, 5}, full: amount{100_000, 240}, asked: "100,000 queries",
	},
	{
		name: "race", about: "all tests below and beside the server under the race detector, internal invariants on",
		packages: []string{"./storage/...", "./ingest/...", "./rollups/...", "./engine/...", "./wire/...", "."}, run: ".", tags: true, race: true,
		ci: amount{0, 0}, full: amount{0, 0}, asked: "always",
	},
	{
		name: "coverage", about: "statements reached by the tests of storage, log, ingest and wire",
		ci: amount{0, 0}, full: amount{0, 0}, asked: ">= 90 % of storage and log", special: coverage,
	},
}
