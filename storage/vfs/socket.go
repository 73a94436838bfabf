package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
)

// A unix socket's address holds about 100 bytes, a data directory's name may be longer. Such a directory is reached
// through a symbolic link with a short name, in a temporary directory of its own that goes again at once: neither bind
// nor connect needs it afterwards.

// socketNameMax is the longest name that every system's address takes: 104 bytes with the final zero on the BSDs.
const socketNameMax = 103

// ListenSocket listens on a unix socket that only this user can connect to, in place of what an earlier process may have
// left under the name. The caller holds a lock that keeps others from doing the same. Closing the listener leaves the
// name there.
func ListenSocket(name string) (net.Listener, error) {
	if err := os.Remove(filepath.FromSlash(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var l *net.UnixListener
	err := shortName(name, func(short string) (err error) {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen on socket %s: %w", name, err)
	}
	l.SetUnlinkOnClose(false) // it would remove the short name
	// Whoever connects before the mode is set has got through the directory's, which lets nobody else in either.
	if err := os.Chmod(filepath.FromSlash(name), fileMode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// DialSocket connects to a unix socket.
func DialSocket(name string) (net.Conn, error) {
	var c net.Conn
	err := shortName(name, func(short string) (err error) {
		c, err = net.Dial("unix", short)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("connect to socket %s: %w", name, err)
	}
	return c, nil
}

// shortName calls use with a name of the file that fits an address.
func shortName(name string, use func(string) error) (err error) {
	if len(name) <= socketNameMax {
		return use(filepath.FromSlash(name))
	}
	dir, err := filepath.Abs(filepath.FromSlash(path.Dir(name)))
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "tdb")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	link := filepath.Join(temp, "d")
	if err := os.Symlink(dir, link); err != nil {
		return err
	}
	return use(filepath.Join(link, path.Base(name)))
}
