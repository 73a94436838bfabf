package codec

import "fmt"

// Error tells what is wrong with encoded bytes. Whoever knows the file wraps it with the place.
type Error struct{ What string }

func (e *Error) Error() string { return "malformed column chunk: " + e.What }

func corrupt(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }
