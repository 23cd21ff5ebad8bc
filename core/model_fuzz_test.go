package taskpool_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
)

// The same as TestChaosPoolDoesWhatTheModelDoes, with schedules that the fuzzer
// draws: it keeps those that reach something new in the pool.
//
//	go test -run '^$' -fuzz FuzzPoolDoesWhatTheModelDoes -fuzztime 30s
func FuzzPoolDoesWhatTheModelDoes(f *testing.F) {
	for _, seed := range modelSeeds {
		from, choices := rand.NewPCG(seed, 1), make([]byte, 300)
		for i := range choices {
			choices[i] = byte(from.Uint64() >> 56)
		}
		f.Add(choices, seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, choices []byte, streams bool) {
		synctest.Test(t, func(t *testing.T) { newSchedule(t, 0, &drawn{choices, rand.NewPCG(0, 1)}, streams).play() })
	})
}

// drawn is a source that has a byte decide each choice, and when there is none
// left, another source.
type drawn struct {
	choices []byte
	rest    rand.Source
}

func (d *drawn) Uint64() uint64 {
	if len(d.choices) == 0 {
		return d.rest.Uint64()
	}
	b := d.choices[0]
	d.choices = d.choices[1:]
	return uint64(b) << 56
}
