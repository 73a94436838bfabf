//go:build !linux

package peer

import (
	"os/exec"
	"syscall"
)

func processGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func startOnLastingThread(cmd *exec.Cmd) error { return cmd.Start() }
