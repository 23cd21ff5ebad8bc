package bench

// What the tests need of the inside.

var (
	Median    = median
	Quantile  = quantile
	Regular   = regular
	ParseLine = parseLine
)

// Verdict is the word for a workload and the best peer's name.
func Verdict(w Workload, results map[string][]float64) (word, peer string, ratio float64) {
	v := judge(w, results)
	return v.word, v.peer, v.ratio
}

// spoiled opens the engine with one worker, but the task numbered i is handed
// over as often as times says.
func spoiled(times func(i int) int) opener {
	return func(_ int, ts []task) pool {
		return &spoiledPool{openEngine(1, ts).(*engine), times}
	}
}

type spoiledPool struct {
	*engine
	times func(i int) int
}

func (p *spoiledPool) submit(from, to int) {
	for i := from; i < to; i++ {
		for range p.times(i) {
			p.engine.submit(i, i+1)
		}
	}
}

func (p *spoiledPool) scope(from, to int, wait bool) {
	for i := from; i < to; i++ {
		for range p.times(i) {
			p.engine.scope(i, i+1, wait)
		}
	}
}

// SpoiledMeasures are the measures that hand over the tasks that way.
func SpoiledMeasures(times func(i int) int) map[string]func(Run) (float64, error) {
	open := spoiled(times)
	return map[string]func(Run) (float64, error){
		"tasks":          tasks(open, 1, 1),
		"tasks, shared":  tasks(open, 1, 8),
		"scopes":         scopes(open, 1, false),
		"scopes, waited": scopes(open, 1, true),
		"wake delay":     wakeDelay(open, 0.99),
		"foreground":     foreground(open, 0.5),
	}
}
