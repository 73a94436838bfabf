package shred

import "bytes"

// JSONBEqual reports whether two jsonb texts are the same value: numbers are compared by value, so 1.0 equals 1.
func JSONBEqual(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	kind := JSONBTypeof(a)
	if kind != JSONBTypeof(b) {
		return false
	}
	switch kind {
	case "number":
		return bytes.Equal(trimScale(a), trimScale(b))
	case "array":
		return equalArrays(a, b)
	case "object":
		return equalObjects(a, b)
	}
	return false // strings, booleans and nulls are written in one way only
}

// trimScale cuts the zeros that change a number's scale and not its value.
func trimScale(n []byte) []byte {
	if bytes.IndexByte(n, '.') < 0 {
		return n
	}
	return bytes.TrimSuffix(bytes.TrimRight(n, "0"), []byte("."))
}

func equalArrays(a, b []byte) bool {
	p := 1
	n := 0
	for x := range JSONBElements(a) {
		if p >= len(b) || b[p] == ']' {
			return false
		}
		to := skipValue(b, p)
		if !JSONBEqual(x, b[p:to]) {
			return false
		}
		p = to + 2
		n++
	}
	m, _ := JSONBLen(b)
	return n == m
}

func equalObjects(a, b []byte) bool {
	n := 0
	for k, x := range JSONBEach(a) {
		y, ok := JSONBGet(b, k)
		if !ok || !JSONBEqual(x, y) {
			return false
		}
		n++
	}
	for range JSONBEach(b) {
		n--
	}
	return n == 0
}

// JSONBContains reports whether a contains b (jsonb @> jsonb): every member of an object with a contained value, every
// element of an array somewhere in the array, and a scalar in an array at the top level.
func JSONBContains(a, b []byte) bool {
	if JSONBTypeof(a) == "array" && JSONBTypeof(b) != "array" && JSONBTypeof(b) != "object" {
		return hasElement(a, b)
	}
	return contains(a, b)
}

func contains(a, b []byte) bool {
	kind := JSONBTypeof(b)
	if JSONBTypeof(a) != kind {
		return false
	}
	switch kind {
	case "object":
		for k, y := range JSONBEach(b) {
			x, ok := JSONBGet(a, k)
			if !ok || !contains(x, y) {
				return false
			}
		}
		return true
	case "array":
		for y := range JSONBElements(b) {
			if !hasElement(a, y) {
				return false
			}
		}
		return true
	}
	return JSONBEqual(a, b)
}

func hasElement(array, value []byte) bool {
	for x := range JSONBElements(array) {
		if contains(x, value) {
			return true
		}
	}
	return false
}
