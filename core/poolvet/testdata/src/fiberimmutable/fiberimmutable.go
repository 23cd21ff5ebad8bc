// Package fiberimmutable has an app whose strings stay as they are.
package fiberimmutable

import (
	"context"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/gofiber/fiber/v2"
)

var pool = taskpool.New()

var app = fiber.New(fiber.Config{Immutable: true})

func use(v ...any) error { return nil }

func handler(c *fiber.Ctx) error {
	id, body := c.Params("id"), c.Body()
	_ = pool.Add(func(ctx context.Context) error { return use(id, body) })
	return pool.Add(func(ctx context.Context) error { return use(c) }) // want `uses c`
}
