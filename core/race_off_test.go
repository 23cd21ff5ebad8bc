//go:build !race

package taskpool_test

import "testing"

func skipUnderRace(*testing.T) {}
