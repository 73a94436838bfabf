//go:build !linux

package main

import "errors"

func mincore(_, _ []byte) error {
	return errors.New("pages in memory cannot be counted on this system: cold times need Linux")
}
