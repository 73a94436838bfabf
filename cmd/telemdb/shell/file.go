package shell

import (
	"bufio"
	"fmt"
	"os"
)

// File runs a file of statements and backslash commands, stopping at the first error.
func (s *Shell) File(name string) error {
	f, err := os.Open(name)
	if err != nil {
		fmt.Fprintln(s.Err, err)
		return err
	}
	defer f.Close()
	return s.loop(&plainLines{bufio.NewReader(f)}, false)
}
