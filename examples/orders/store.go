package orders

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	taskpool "github.com/elite-libs/taskpool/core"
)

// View is an order as GET /orders/{id} shows it.
type View struct {
	ID string `json:"id"`
	Order
	State   string     `json:"state"`   // accepted, rejected
	Settled bool       `json:"settled"` // every task has its fate
	Tasks   []TaskView `json:"tasks"`
}

// TaskView is one background task of an order. Why a task failed stands in the log, not here: an error may name what
// is not the client's business.
type TaskView struct {
	Name string `json:"name"`
	Fate string `json:"fate"` // pending, then what [taskpool.Fate] calls it
}

const pending = "pending"

// A record is one order and what became of its tasks. It travels in the context of those tasks, so that a fate needs
// no look-up, and finds its order even if that has already left the store.
type record struct {
	id       string
	order    Order
	rejected bool
	placed   time.Time

	mu    sync.Mutex // protects following fields
	tasks []*TaskView
}

func newRecord(o Order) *record {
	return &record{id: rand.Text(), order: o, rejected: o.Quantity > Stock, placed: time.Now()}
}

type recordKey struct{}

func recordFrom(ctx context.Context) *record {
	rec, _ := ctx.Value(recordKey{}).(*record)
	return rec
}

// ID returns the id of the order that ctx belongs to: a task's context, or what a hook of the pool gets. It is empty
// if there is none.
func ID(ctx context.Context) string {
	if rec := recordFrom(ctx); rec != nil {
		return rec.id
	}
	return ""
}

// Ended notes the fate of a task in the order that the task belongs to. It is a [taskpool.Hooks].Ended.
func Ended(ctx context.Context, r taskpool.Result) {
	if rec := recordFrom(ctx); rec != nil {
		rec.ended(r.Name, r.Fate.String())
	}
}

// submit hands jobs to the pool: all or none. They are pending before that, for a task may end before Submit returns.
func (rec *record) submit(to taskpool.Scope, jobs ...taskpool.Job) error {
	mine := make([]*TaskView, len(jobs)) // others may hand over tasks of the same order meanwhile
	for i, j := range jobs {
		mine[i] = &TaskView{Name: j.Name, Fate: pending}
	}
	rec.mu.Lock()
	rec.tasks = append(rec.tasks, mine...)
	rec.mu.Unlock()

	err := to.Submit(jobs...)
	if err != nil {
		rec.mu.Lock()
		rec.tasks = slices.DeleteFunc(rec.tasks, func(t *TaskView) bool { return slices.Contains(mine, t) })
		rec.mu.Unlock()
	}
	return err
}

func (rec *record) ended(name, fate string) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	for _, t := range rec.tasks {
		if t.Name == name && t.Fate == pending {
			t.Fate = fate
			return
		}
	}
}

func (rec *record) state() string {
	if rec.rejected {
		return "rejected"
	}
	return "accepted"
}

func (rec *record) view() View {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	v := View{ID: rec.id, Order: rec.order, State: rec.state(), Tasks: make([]TaskView, len(rec.tasks))}
	for i, t := range rec.tasks {
		v.Tasks[i] = *t
	}
	v.Settled = !slices.ContainsFunc(v.Tasks, func(t TaskView) bool { return t.Fate == pending })
	return v
}

// A store holds the latest orders.
type store struct {
	mu   sync.RWMutex // protects following fields
	byID map[string]*record
	ring []string // ids in the order they came; the oldest is at next once the ring is full
	next int
}

func newStore(keep int) *store {
	return &store{byID: make(map[string]*record), ring: make([]string, keep)}
}

func (s *store) put(rec *record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, s.ring[s.next])
	s.byID[rec.id] = rec
	s.ring[s.next] = rec.id
	s.next = (s.next + 1) % len(s.ring)
}

func (s *store) get(id string) *record {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byID[id]
}
