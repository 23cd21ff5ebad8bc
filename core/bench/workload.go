package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Workload is one figure that all its entrants are measured for.
type Workload struct {
	Name     string // as a benchmark is named, without "Benchmark"
	Text     string
	Unit     string
	Asked    float64 // of the engine's ratio to the best peer, or of its figure; 0 if nothing is asked
	Aim      float64 // likewise
	Near     float64 // asked of the engine's ratio to the prototype; 0 if nothing is asked
	Absolute bool    // Asked is of the figure itself
	Whole    bool    // of the figure, what is after the point does not count
	More     bool    // more is better
	Full     bool    // measured for publishing only
	Procs    int     // GOMAXPROCS; 0 is the default
	LeftOut  string  // who lacks it, and why
	Entrants []Entrant
}

// The reasons for which a peer is left out of a workload.
const (
	lacksShared = "conc and errgroup: their limit is that of one group, which has to be waited for."
	lacksFuture = "ants, conc and errgroup have no future for a task, workerpool's SubmitWait blocks its caller."
	lacksQueue  = "ants, conc, errgroup and a semaphore have no queue: a task waits in the goroutine that submits it."
)

// Workloads are all there are: those of which something is asked, then those that are
// measured for publishing only.
func Workloads() []Workload {
	ws := []Workload{
		producers("OneProducer", "one producer, trivial tasks", 4, 1, 0.6, 0.5),
		producers("OneProducer", "one producer, trivial tasks", 1000, 1, 0.5, 0.33),
		producers("EightProducers", "eight producers, trivial tasks", 4, 8, 0.75, 0.5),
		producers("EightProducers", "eight producers, trivial tasks", 1000, 8, 0.5, 0.33),
		groups("Scope", "scope of three tasks, fire and forget", 1, unwaited, false, 0.6, 0.4),
		groups("Scope", "scope of three tasks, fire and forget", clients, unwaited, false, 0.4, 0.25),
		groups("ScopeWaited", "scope of three tasks, waited for", 1, waited, true, 0.6, 0.5),
		groups("ScopeWaited", "scope of three tasks, waited for", clients, waited, true, 0.6, 0.5),
		{
			Name: "Future", Text: "a future for each task", Unit: "ns/op", Asked: 0.4, Aim: 0.25, Near: 2,
			LeftOut: lacksFuture, Entrants: futurePools,
		},
		{
			Name: "Queued", Text: "a plain task that waits, closure not counted", Unit: "B/task",
			Asked: 24, Aim: 18, Absolute: true, LeftOut: lacksQueue,
			Entrants: append(entrants(queueing, func(o opener) measure { return queuedBytes(o, 100_000) }),
				Entrant{"goroutines", noLimit, waitingGoroutineBytes(20_000)}),
		},
		allocations("Allocs/of=Add", "allocations: Add of a prepared func", 0, addAllocs),
		allocations("Allocs/of=Scope", "allocations: a scope with four tasks", 1, scopeAllocs),
		{
			Name: "BehindQueue", Text: "a scope behind 100 000 tasks of 5 µs, p50", Unit: "p50-ns",
			Asked: 100e3, Aim: 20e3, Absolute: true, LeftOut: lacksQueue,
			Entrants: entrants(queueing, behindQueue),
		},
		{
			Name: "WaiterWakes", Text: "who waits for that scope goes on after its end, p50", Unit: "p50-ns",
			Asked: 20e3, Aim: 12e3, Absolute: true, LeftOut: lacksQueue,
			Entrants: entrants(queueing, waiterWakes),
		},
		{
			Name: "WakeDelay", Text: "wake-up delay of others while tasks of 5 µs run, p99", Unit: "p99-ns",
			Asked: 1e6, Aim: 0.3e6, Absolute: true,
			Entrants: entrants(beside, func(o opener) measure { return wakeDelay(o, 0.99) }),
		},
		{
			Name: "PoolPerRequest", Text: "a pool made, run for one task, and done", Unit: "ns/op",
			Asked: 3000, Aim: 1500, Absolute: true, Entrants: freshPools,
		},
	}
	for _, f := range frameworks {
		ws = append(ws, ratioOfBare(f, 0, 0.98, 0.99), besideNeighbour(f), requestAllocations(f, 0, f.allocs))
	}
	return slices.Concat(ws, watchedWorkloads(), fullWorkloads())
}

// fullWorkloads take long, and nothing is asked of them but what the text says.
func fullWorkloads() []Workload {
	full := func(name, text, unit string, es []Entrant, leftOut string) Workload {
		return Workload{Name: name, Text: text, Unit: unit, Full: true, Entrants: es, LeftOut: leftOut}
	}
	const million = 1_000_000
	var ws []Workload
	for _, f := range frameworks {
		for _, w := range []Workload{ratioOfBare(f, scopeSize, 0, 0), requestAllocations(f, scopeSize, 0)} {
			w.Full = true
			ws = append(ws, w)
		}
	}
	ws = append(ws,
		full("QueuedMillion", "a plain task of 1 000 000 that wait", "B/task",
			entrants(queueing, func(o opener) measure { return queuedBytes(o, million) }), lacksQueue),
		full("Collection", "a garbage collection while 1 000 000 tasks wait", "ns/op",
			entrants(queueing, func(o opener) measure { return collection(o, million, false) }), lacksQueue),
		full("CollectionPause", "its pauses", "ns/op",
			entrants(queueing, func(o opener) measure { return collection(o, million, true) }), lacksQueue),
	)
	for e := 3; e <= 7; e++ {
		ws = append(ws, full(fmt.Sprintf("LongQueue/tasks=1e%d", e),
			fmt.Sprintf("a task of 10^%d that wait: it is flat if it stays the same", e), "ns/op",
			entrants(queueing, func(o opener) measure { return longQueue(o, int(math.Pow10(e))) }), lacksQueue))
	}
	for _, procs := range []int{1, 2, 4, 8} {
		w := producers("Procs", "one producer, trivial tasks", sharedLimit, 1, 0, 0)
		w.Name = fmt.Sprintf("Procs/procs=%d", procs)
		w.Text += fmt.Sprintf(", GOMAXPROCS %d", procs)
		w.Full, w.Procs = true, procs
		ws = append(ws, w)
	}
	for _, percent := range []int{50, 99} {
		ws = append(ws, full(fmt.Sprintf("Foreground/p=%d", percent),
			fmt.Sprintf("an HTTP request while tasks of 1 ms compute, p%d", percent), fmt.Sprintf("p%d-ns", percent),
			entrants(facing, func(o opener) measure { return foreground(o, float64(percent)/100) }),
			"Those that block their submitter are like ants, workerpool is like pond."))
	}
	return ws
}

func producers(name, text string, limit, producers int, asked, aim float64) Workload {
	return Workload{
		Name: fmt.Sprintf("%s/limit=%d", name, limit), Text: fmt.Sprintf("%s, limit %d", text, limit),
		Unit: "ns/op", Asked: asked, Aim: aim,
		Entrants: entrants(bounded, func(o opener) measure { return tasks(o, limit, producers) }),
	}
}

func groups(name, text string, clients int, cs []contender, wait bool, asked, aim float64) Workload {
	w := Workload{
		Name: fmt.Sprintf("%s/clients=%d", name, clients), Text: fmt.Sprintf("%s, clients: %d", text, clients),
		Unit: "ns/op", Asked: asked, Aim: aim, Near: 1.6,
		Entrants: entrants(cs, func(o opener) measure { return scopes(o, clients, wait) }),
	}
	if wait {
		w.Near = 1.5
	} else {
		w.LeftOut = lacksShared
	}
	return w
}

func allocations(name, text string, asked float64, m measure) Workload {
	return Workload{
		Name: name, Text: text, Unit: "allocs/op", Asked: asked, Aim: asked, Absolute: true, Whole: true,
		Entrants: []Entrant{{Engine, "", m}},
	}
}

// besideNeighbour is ratioOfBare without tasks, while another process keeps one
// processor busy.
func besideNeighbour(f framework) Workload {
	w := ratioOfBare(f, 0, 0.96, 0.98)
	w.Name = strings.Replace(w.Name, "Middleware/", "MiddlewareBusy/", 1)
	w.Text += ", beside a busy process"
	w.Entrants = ways(f, 0, func(f framework, as string, tasks int) measure {
		return withNeighbour(middlewareRatio(f, as, tasks))
	})
	return w
}

// ratioOfBare and requestAllocations are of a framework's requests with a number
// of tasks each, in the middleware and beside that without it.
func ratioOfBare(f framework, tasks int, asked, aim float64) Workload {
	return Workload{
		Name: fmt.Sprintf("Middleware/%s/tasks=%d", f.name, tasks),
		Text: fmt.Sprintf("%s: requests per second, of the bare handler's, tasks: %d", f.name, tasks),
		Unit: "ratio", Asked: asked, Aim: aim, Absolute: asked > 0, More: true,
		Entrants: ways(f, tasks, middlewareRatio),
	}
}

func requestAllocations(f framework, tasks int, asked float64) Workload {
	w := allocations(fmt.Sprintf("Allocs/of=Request/%s/tasks=%d", f.name, tasks),
		fmt.Sprintf("%s: allocations added to a request's, tasks: %d", f.name, tasks), asked, nil)
	w.Absolute = asked > 0
	w.Entrants = ways(f, tasks, requestAllocs)
	return w
}
