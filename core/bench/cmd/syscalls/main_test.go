package main

import (
	"maps"
	"testing"
)

func TestParseTakesCallsByName(t *testing.T) {
	got := parse(`% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000600           0      1234       200 read
 40.00    0.000400           0       500           write
------ ----------- ----------- --------- --------- ----------------
100.00    0.001000           0      1734       200 total
`)
	want := map[string]int{"read": 1234, "write": 500, "total": 1734}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
