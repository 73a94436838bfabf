package peer

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

func processGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// starter starts processes from one thread that lasts: Pdeathsig is sent when the thread that started a process ends, and
// the runtime may end others.
var starter = sync.OnceValue(func() chan<- func() {
	jobs := make(chan func())
	go func() { // owned by the process: it ends with it
		runtime.LockOSThread()
		for f := range jobs {
			f()
		}
	}()
	return jobs
})

func startOnLastingThread(cmd *exec.Cmd) error {
	done := make(chan error)
	starter() <- func() { done <- cmd.Start() }
	return <-done
}
