package session

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/telemdb/telemdb/engine/sqlstate"
)

// chunkPipe cuts the data of a COPY into chunks of whole records, has them read by as many goroutines as there are cores,
// and hands the rows on in the order they came in. All but the reading of chunks happens in the goroutine that feeds it.
// The first chunk that is not filled is read by that goroutine itself, so a short COPY starts no other.
type chunkPipe struct {
	in      *copyIn
	size    int    // of a chunk
	plain   bool   // records of the plain kind are read the short way; tests compare the ways
	buf     []byte // data that is in no chunk yet; begins with a record
	looked  int    // length of buf when no end of a record was found in it
	header  bool   // the header line is still to come
	jobs    chan *chunkJob
	queue   []*chunkJob // in order
	free    [][]byte
	workers sync.WaitGroup
	quit    atomic.Bool // nobody takes the rows of the jobs that are left
}

type chunkJob struct {
	data []byte
	res  chunkResult
	done chan struct{}
}

// chunkBytes is the size of a chunk: long enough that its rows make a group of segments' rows, and its texts repeat.
const chunkBytes = 4 << 20

func newChunkPipe(in *copyIn) *chunkPipe {
	return &chunkPipe{in: in, size: chunkBytes, plain: true, header: in.o.header}
}

// write takes bytes, cut anywhere.
func (p *chunkPipe) write(b []byte) error {
	for len(b) > 0 && !p.in.ended {
		n := min(len(b), max(p.size-len(p.buf), p.size/8, 1))
		p.buf, b = append(p.room(n), b[:n]...), b[n:]
		if len(p.buf) < max(p.size, p.looked+p.looked/4) {
			continue
		}
		if err := p.cut(); err != nil {
			return err
		}
	}
	return nil
}

// room returns buf with room for n bytes more.
func (p *chunkPipe) room(n int) []byte {
	if len(p.buf)+n <= cap(p.buf) || len(p.buf) > 0 {
		return p.buf
	}
	if k := len(p.free); k > 0 {
		p.buf, p.free = p.free[k-1][:0], p.free[:k-1]
	}
	return p.buf
}

// cut hands the whole records of buf on as a chunk.
func (p *chunkPipe) cut() error {
	end := p.in.o.recordsEnd(p.buf)
	if end == 0 {
		if p.looked = len(p.buf); p.looked > copyRowBytesMax {
			return errRowTooLong()
		}
		return nil
	}
	p.looked = 0
	chunk := p.buf[:end]
	rest := p.buf[end:]
	p.buf = nil
	if len(rest) > 0 {
		p.buf = append(p.room(len(rest)), rest...)
	}
	if p.header {
		p.header = false
		n, err := p.readHeader(chunk)
		if err != nil || p.in.ended {
			return err
		}
		chunk = chunk[n:]
	}
	if p.jobs == nil {
		p.start()
	}
	job := &chunkJob{data: chunk, done: make(chan struct{})}
	p.queue = append(p.queue, job)
	for len(p.queue) > 2*runtime.GOMAXPROCS(0)+1 { // a job for each worker is on its way, and one waits
		if err := p.take(); err != nil {
			return err
		}
	}
	p.jobs <- job
	return nil
}

// start begins the workers, which stop ends.
func (p *chunkPipe) start() {
	n := runtime.GOMAXPROCS(0)
	jobs := make(chan *chunkJob, 2*n+2)
	p.jobs = jobs
	for range n {
		parser := newChunkParser(p.in, p.plain)
		p.workers.Go(func() {
			for job := range jobs {
				if !p.quit.Load() {
					job.res = parser.parse(job.data)
				}
				close(job.done)
			}
		})
	}
}

// stop ends the workers. Chunks that nobody has taken yet are not read any more. It may be called more than once.
func (p *chunkPipe) stop() {
	if p.jobs != nil {
		p.quit.Store(true)
		close(p.jobs)
		p.jobs, p.queue = nil, nil
		p.workers.Wait()
	}
}

func (p *chunkPipe) readHeader(chunk []byte) (used int, err error) {
	end, next := p.in.o.recordEnd(chunk)
	return next, p.in.row(chunk[:end])
}

// take waits for the oldest chunk and hands its rows on.
func (p *chunkPipe) take() error {
	job := p.queue[0]
	p.queue = p.queue[1:]
	select {
	case <-job.done:
	case <-p.in.s.Done():
		return p.in.s.explain(p.in.s.Err())
	}
	err := p.hand(job.res, job.data)
	p.free = append(p.free, job.data[:0])
	return err
}

// hand gives the rows of a chunk, which was read from data, to the writer, and reads the record again that is wrong, which tells
// what is wrong with it and in which line.
func (p *chunkPipe) hand(res chunkResult, data []byte) error {
	in := p.in
	if in.ended {
		return nil
	}
	before := 0
	for _, b := range res.batches {
		null := in.w.firstNull(b)
		if err := in.w.add(b); err != nil {
			return in.nullAt(err, in.line+p.lines(data, before+max(null, 0)+1))
		}
		before += b.N
	}
	in.line += res.lines
	in.ended = res.ended
	if res.bad == nil {
		return nil
	}
	if err := in.row(res.bad); err != nil {
		return err
	}
	return sqlstate.New(sqlstate.Internal, "line %d of COPY was wrong once and right then", in.line)
}

// lines counts the lines of the first records of data.
func (p *chunkPipe) lines(data []byte, records int) int64 {
	end := 0
	for range records {
		_, next := p.in.o.recordEnd(data[end:])
		end += next
	}
	return int64(bytes.Count(data[:end], newline))
}

// finish reads what is left, of which the last line may lack its end, and ends the workers.
func (p *chunkPipe) finish() error {
	for len(p.queue) > 0 {
		if err := p.take(); err != nil {
			return err
		}
	}
	p.stop()
	end := p.in.o.recordsEnd(p.buf)
	if err := p.last(p.buf[:end]); err != nil || p.in.ended {
		return err
	}
	tail := p.buf[end:]
	if len(tail) == 0 {
		return nil
	}
	if p.in.o.csv && p.in.o.openQuote(tail) {
		p.in.record, _, _ = bytes.Cut(tail, newline) // where the quote may have been opened; the last line tells nothing
		return p.in.bad("unterminated CSV quoted field")
	}
	return p.in.row(bytes.TrimSuffix(tail, []byte("\r")))
}

// last reads the last whole records.
func (p *chunkPipe) last(chunk []byte) error {
	if len(chunk) == 0 || p.in.ended {
		return nil
	}
	if p.header {
		p.header = false
		n, err := p.readHeader(chunk)
		if err != nil || p.in.ended {
			return err
		}
		chunk = chunk[n:]
	}
	return p.hand(newChunkParser(p.in, p.plain).parse(chunk), chunk)
}
