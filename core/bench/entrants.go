package bench

// An Entrant is a contender's way to do one workload.
type Entrant struct {
	Name    string
	Beside  string // why it is shown but not compared against; empty if it is a peer
	measure measure
}

// Engine is the name of what is measured; all others are there to compare it with.
const Engine = "engine"

// Prototype is the name of the bare engine in the package fair: one lock, fair
// turns, scopes and futures, and nothing else. What it takes is practically the
// limit.
const Prototype = "prototype"

const (
	rawGo    = "a plain construct: no isolation of panics, no ledger, no shutdown"
	noLimit  = rawGo + ", no limit"
	ownLimit = "its group is not on a shared pool: no limit is shared"
	slower   = "the slower of its two ways, with a future that nobody looks at"
	noGroup  = "nothing knows when the tasks of the request have ended"
	noPool   = "no tasks: what the machine does by itself"
	bareEng  = "no contexts, errors, outcomes, hooks, lanes or limits: what is practically possible"
	noTasks  = "the handler without the middleware, and without tasks; as a ratio, to itself: what noise does"
)

// Modules are what the engine is compared with, and what its middleware is
// measured in.
var Modules = []string{
	"github.com/alitto/pond/v2",
	"github.com/panjf2000/ants/v2",
	"github.com/sourcegraph/conc",
	"golang.org/x/sync",
	"github.com/gammazero/workerpool",
	"github.com/gin-gonic/gin",
	"github.com/labstack/echo/v4",
	"github.com/gofiber/fiber/v2",
	"github.com/valyala/fasthttp",
	"go.opentelemetry.io/otel/sdk",
}

// A contender is a way to run tasks on a pool.
type contender struct {
	name, beside string
	open         opener
}

// entrants are the contenders, each measured by what take makes of it.
func entrants(cs []contender, take func(opener) measure) (es []Entrant) {
	for _, c := range cs {
		es = append(es, Entrant{c.name, c.beside, take(c.open)})
	}
	return es
}

var (
	bounded = []contender{
		{Engine, "", openEngine},
		{"pond", "", openPond},
		{"ants", "", openAnts},
		{"conc", "", openConc},
		{"errgroup", "", openErrgroup},
		{"workerpool", "", openWorkerpool},
		{Prototype, bareEng, openPrototype},
		{"pond-submit", slower, openPondSubmit},
		{"semaphore", rawGo, openSemaphore},
		{"goroutines", noLimit, openGoroutines},
	}
	shared = []contender{
		{Engine, "", openEngine},
		{"pond", "", openPond},
		{"ants", "", openAnts},
		{"workerpool", "", openWorkerpool},
		{Prototype, bareEng, openPrototype},
	}
	unwaited = append(shared[:len(shared):len(shared)],
		contender{"pond-ungrouped", noGroup, withoutGroups(openPond)},
		contender{"ants-ungrouped", noGroup, withoutGroups(openAnts)},
		contender{"semaphore", rawGo, openSemaphore},
		contender{"goroutines", noLimit, openGoroutines},
	)
	waited = append(shared[:len(shared):len(shared)],
		contender{"conc", ownLimit, openConc},
		contender{"errgroup", ownLimit, openErrgroup},
		contender{"semaphore", rawGo, openSemaphore},
		contender{"goroutines", noLimit, openGoroutines},
	)
	queueing = []contender{
		{Engine, "", openEngine},
		{"pond", "", openPond},
		{"workerpool", "", openWorkerpool},
		{Prototype, bareEng, openPrototype},
	}
	beside = append([]contender{{"idle", noPool, openIdle}}, bounded...)
	facing = []contender{
		{"idle", noPool, openIdle},
		{Engine, "", openEngine},
		{"pond", "", openPond},
		{"ants", "", openAnts},
		{"goroutines", noLimit, openGoroutines},
	}
)

var freshPools = []Entrant{
	{Engine, "", perRequest(engineFresh)},
	{"pond", "", perRequest(pondFresh)},
	{"ants", "", perRequest(antsFresh)},
	{"conc", "", perRequest(concFresh)},
	{"errgroup", "", perRequest(errgroupFresh)},
	{"workerpool", "", perRequest(workerpoolFresh)},
}

var futurePools = []Entrant{
	{Engine, "", promised(openEngineFutures)},
	{"pond", "", promised(openPondFutures)},
	{Prototype, bareEng, promised(openPrototypeFutures)},
	{"goroutines", noLimit, promised(openGoFutures)},
}

// ways are the ways in which a framework serves requests, each measured by what
// take makes of it.
func ways(f framework, tasks int, take func(f framework, as string, tasks int) measure) []Entrant {
	es := []Entrant{{Engine, "", take(f, Engine, tasks)}, {bare, noTasks, take(f, bare, 0)}}
	if tasks > 0 {
		es = append(es, Entrant{goroutines, noLimit, take(f, goroutines, tasks)})
	}
	return es
}
