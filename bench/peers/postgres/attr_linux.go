package main

import "syscall"

// serverAttr makes the server end with this process, however that ends.
func serverAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
