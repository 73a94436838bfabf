package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

func TestAKickedJobStepsUntilThereIsNoMore(t *testing.T) {
	var steps atomic.Int64
	done := make(chan struct{})
	r := New(quiet, []Job{{Name: "j", Every: time.Hour, Step: func(context.Context) (bool, error) {
		if steps.Add(1) == 3 {
			close(done)
			return false, nil
		}
		return true, nil
	}}})
	r.Start()
	r.Kick("j")
	r.Kick("unknown")
	<-done
	r.Close()
	if n := steps.Load(); n != 3 {
		t.Errorf("%d steps, want 3", n)
	}
	if st := r.Status()[0]; st.Name != "j" || st.Steps != 2 || st.Running || st.Err != "" {
		t.Errorf("status %+v", st)
	}
}

func TestAFailingJobStopsUntilItsNextTurn(t *testing.T) {
	failed := make(chan struct{}, 10)
	r := New(quiet, []Job{{Name: "j", Every: time.Hour, Step: func(context.Context) (bool, error) {
		failed <- struct{}{}
		return true, errors.New("disk on fire")
	}}})
	r.Start()
	r.Kick("j")
	<-failed
	r.Kick("j")
	<-failed
	r.Close()
	if st := r.Status()[0]; st.Errors != 2 || st.Err != "disk on fire" {
		t.Errorf("status %+v", st)
	}
}

func TestCloseCancelsTheStepAndWaitsForIt(t *testing.T) {
	began, ended := make(chan struct{}), atomic.Bool{}
	r := New(quiet, []Job{{Name: "j", Every: time.Hour, Step: func(ctx context.Context) (bool, error) {
		close(began)
		<-ctx.Done()
		ended.Store(true)
		return false, ctx.Err()
	}}})
	r.Start()
	r.Kick("j")
	<-began
	r.Close()
	if !ended.Load() {
		t.Error("Close returned while a step was running")
	}
}
