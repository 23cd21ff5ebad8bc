// Package fiberstrings has tasks that capture memory that Fiber uses again.
package fiberstrings

import (
	"context"
	"fmt"
	"strings"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/utils"
)

var pool = taskpool.New()

var app = fiber.New(fiber.Config{Immutable: false})

func use(v ...any) error { return nil }

func faults(c *fiber.Ctx) error {
	id, name := c.Params("id"), c.Query("name")
	path := c.Path()
	part := path[1:]
	body := c.Body()
	var agent string
	agent = c.Get("User-Agent")
	return pool.Add(func(ctx context.Context) error {
		use(id)    // want `task uses id, whose memory Fiber gives to another request once the handler has returned: copy it in the handler, with utils.CopyString or utils.CopyBytes`
		use(name)  // want `task uses name, whose memory`
		use(part)  // want `task uses part, whose memory`
		use(body)  // want `task uses body, whose memory`
		use(agent) // want `task uses agent, whose memory`
		return nil
	})
}

func quiet(c *fiber.Ctx) error {
	id := utils.CopyString(c.Params("id"))
	name := strings.Clone(c.Query("name"))
	key := "key:" + c.Params("id")
	body := string(c.Body())
	data := []byte(c.Path())
	n, err := c.ParamsInt("n")
	ip := c.IP()
	path := c.Path()
	path = utils.CopyString(path)
	sum := c.Params("id")
	sum += c.Query("name")
	scanned := c.Params("id")
	fmt.Sscan("1", &scanned)
	use(c.Params("id"))
	_ = pool.Add(func(ctx context.Context) error { return use(id, name, key, body, data, n, ip, path, sum, scanned) })
	own := c.Params("id")
	go use(own)
	return err
}

// The handler waits: it still owns the memory.
func awaited(c *fiber.Ctx) error {
	id := c.Params("id")
	_, err := taskpool.Async(pool, func(ctx context.Context) (int, error) { return len(id), nil }).Await(c.UserContext())
	return err
}
