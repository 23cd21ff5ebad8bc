package bench_test

import (
	"math"
	"slices"
	"testing"

	"github.com/elite-libs/taskpool/core/bench"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{7}, 7},
		{[]float64{3, 1}, 2},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := bench.Median(c.values); got != c.want {
			t.Errorf("%v: got %v, want %v", c.values, got, c.want)
		}
	}
	if got := bench.Median(nil); !math.IsNaN(got) {
		t.Errorf("of nothing: got %v, want NaN", got)
	}
}

func TestMedianLeavesItsArgument(t *testing.T) {
	values := []float64{3, 1, 2}
	bench.Median(values)
	if values[0] != 3 {
		t.Errorf("got %v, want the order as it was", values)
	}
}

func TestQuantile(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, c := range []struct {
		values  []float64
		q, want float64
	}{
		{hundred, 0.99, 99},
		{hundred, 0.5, 50},
		{hundred, 1, 100},
		{hundred, 0, 1},
		{[]float64{7}, 0.99, 7},
	} {
		if got := bench.Quantile(c.values, c.q); got != c.want {
			t.Errorf("%v of %d: got %v, want %v", c.q, len(c.values), got, c.want)
		}
	}
	if got := bench.Quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("of nothing: got %v, want NaN", got)
	}
}

func TestRegularAddsTheWaitsThatAStallHides(t *testing.T) {
	waits := []float64{0.5, 3.5, 1}
	want := []float64{0.5, 3.5, 1, 2.5, 1.5, 0.5}
	if got := bench.Regular(waits, 1); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
