// Package utils has what Fiber copies strings with.
package utils

func CopyString(s string) string { return s }
