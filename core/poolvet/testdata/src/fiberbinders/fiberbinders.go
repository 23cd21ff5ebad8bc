// Package fiberbinders has an app that is immutable, which the binders are not.
package fiberbinders

import (
	"context"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/gofiber/fiber/v3"
)

var pool = taskpool.New()

var app = fiber.New(fiber.Config{Immutable: true})

func use(v ...any) error { return nil }

type order struct {
	Name  string
	Items int
}

func handler(c fiber.Ctx) error {
	var byBody, byQuery, byJSON order
	byHeader := new(order)
	_, _, _, _ = c.Bind().Body(&byBody), c.Bind().WithAutoHandling().Query(&byQuery), c.Bind().Header(byHeader), c.Bind().JSON(&byJSON)
	return pool.Add(func(ctx context.Context) error {
		use(byBody.Name, byQuery)                              // want `uses byBody.Name, whose memory` `uses byQuery, whose memory`
		use(byHeader.Name)                                     // want `uses byHeader.Name, whose memory`
		return use(byBody.Items, byJSON, c.Params("id") == "") // want `uses c`
	})
}
