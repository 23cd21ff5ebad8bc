// Package fiberparsers has tasks that capture what Fiber parsed a request into.
package fiberparsers

import (
	"context"

	taskpool "github.com/elite-libs/taskpool/core"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/utils"
)

var pool = taskpool.New()

func use(v ...any) error { return nil }

type address struct{ City string }

type order struct {
	Name    string
	Tags    []string
	Address *address
	Items   int
	Prices  []float64
}

func (o order) total() int { return 0 }

type page struct{ Number, Size int }

func faults(c *fiber.Ctx) error {
	var byBody, byQuery order
	byParams, byHeader := new(order), &order{}
	cookies := map[string]string{}
	if err := c.BodyParser(&byBody); err != nil {
		return err
	}
	_, _, _, _ = c.QueryParser(&byQuery), c.ParamsParser(byParams), c.ReqHeaderParser(byHeader), c.CookieParser(&cookies)
	copied, city, tag, queries, ips := byBody, byQuery.Address.City, byQuery.Tags[0], c.Queries(), c.IPs()
	return pool.Add(func(ctx context.Context) error {
		use(byBody.Name)      // want `task uses byBody.Name, whose memory Fiber gives to another request once the handler has returned: copy it in the handler`
		use(byQuery)          // want `uses byQuery, whose memory`
		use(byParams.Tags)    // want `uses byParams.Tags, whose memory`
		use(byHeader.Tags[1]) // want `uses byHeader.Tags\[1\], whose memory`
		use(byHeader.total()) // want `uses byHeader, whose memory`
		use(cookies["a"])     // want `uses cookies\["a"\], whose memory`
		use(copied.Address)   // want `uses copied.Address, whose memory`
		use(*byParams)        // want `uses \*byParams, whose memory`
		use(city, tag)        // want `uses city, whose memory` `uses tag, whose memory`
		use(queries, ips)     // want `uses queries, whose memory` `uses ips, whose memory`
		return use(&byBody)   // want `uses byBody, whose memory`
	})
}

func quiet(c *fiber.Ctx) error {
	var in order
	var at page
	var prices []float64
	other := order{Name: "a"}
	_, _, _ = c.BodyParser(&in), c.QueryParser(&at), c.QueryParser(&prices)
	name, n := utils.CopyString(in.Name), in.Items
	out := order{Name: utils.CopyString(in.Name), Items: in.Items}
	use(in)
	return pool.Add(func(ctx context.Context) error {
		return use(name, n, out, at, prices, other.Name, in.Items, in.Prices, len(in.Prices))
	})
}
