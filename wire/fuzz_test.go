package wire

import (
	"io"
	"net"
	"testing"
	"time"
)

// converse gives a connection these bytes and then closes, reading whatever comes.
func converse(t *testing.T, data []byte) {
	db := newFakeDB()
	s := NewServer(Options{Open: db.Open, MaxMessageBytes: 1 << 20, PipelineBytes: 64 << 10, AuthTimeout: 5 * time.Second})
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c := newConn(s, far)
		s.mu.strangers[hostOf(far.RemoteAddr())]++
		c.serve()
	}()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		io.Copy(io.Discard, near)
	}()
	near.SetWriteDeadline(time.Now().Add(5 * time.Second))
	near.Write(data)
	near.Close()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the connection did not end")
	}
	<-drained
	db.await(func(open, results int) bool { return open == 0 && results == 0 })
	if s.Connections() != 0 {
		t.Fatal("a session's place was not given back")
	}
}

var startupPacket = []byte("\x00\x00\x00\x10\x00\x03\x00\x00user\x00a\x00\x00")

func FuzzStartup(f *testing.F) {
	f.Add(startupPacket)
	f.Add([]byte("\x00\x00\x00\x08\x04\xd2\x16\x2f"))
	f.Add([]byte("\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01\x00\x00\x00\x01"))
	f.Add([]byte("\x00\x00\x00\x2f\x00\x03\x00\x02user\x00a\x00options\x00-c a=b\x00_pq_.x\x00y\x00\x00"))
	f.Add([]byte("\x16\x03\x01\x02\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, data []byte) { converse(t, data) })
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte("Q\x00\x00\x00\x0brows 2\x00"))
	f.Add([]byte("P\x00\x00\x00\x13\x00echo int4\x00\x00\x00\x00\x00B\x00\x00\x00\x13\x00\x00\x00\x00\x00\x01\x00\x00\x00\x017\x00\x00E\x00\x00\x00\x09\x00\x00\x00\x00\x00S\x00\x00\x00\x04"))
	f.Add([]byte("Q\x00\x00\x00\x0bcopyin\x00d\x00\x00\x00\x06a\nc\x00\x00\x00\x04X\x00\x00\x00\x04"))
	f.Add([]byte("B\x00\x00\x00\x10\x00\x00\x00\x00\x00\x01\xff\xff\xff\xfe\x00\x00"))
	f.Add([]byte("F\x00\x00\x00\x04"))
	f.Fuzz(func(t *testing.T, data []byte) {
		converse(t, append(startupPacket[:len(startupPacket):len(startupPacket)], data...))
	})
}
