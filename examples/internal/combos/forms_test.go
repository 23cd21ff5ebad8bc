package combos_test

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gofiber/fiber/v2"
	fiber3 "github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v4"
)

func (p *party) inChiWith(h http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(p.net, p.staged)
	r.Handle("/*", h)
	return r
}

func (p *party) formInGin() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.MaxMultipartMemory = 1 << 10
	e.Use(p.gin)
	e.Any("/upload", gin.WrapH(p.site()))
	e.POST("/form", func(c *gin.Context) {
		p.stage(c.Request.Context())
		f, err := c.FormFile("photo")
		if err != nil {
			c.AbortWithStatus(http.StatusBadRequest)
			return
		}
		c.String(http.StatusOK, "%s%d", f.Filename, f.Size)
	})
	return e
}

func (p *party) formInEcho() http.Handler {
	e := echo.New()
	e.Use(p.echo)
	e.Any("/upload", echo.WrapHandler(p.site()))
	e.POST("/form", func(c echo.Context) error {
		p.stage(c.Request().Context())
		if err := c.Request().ParseMultipartForm(1 << 10); err != nil {
			return err
		}
		f, err := c.FormFile("photo")
		if err != nil {
			return err
		}
		return c.String(http.StatusOK, fmt.Sprint(f.Filename, f.Size))
	})
	return e
}

func (p *party) formInFiber() *fiber.App {
	app := fiber.New(fiber.Config{DisableStartupMessage: true, BodyLimit: 64 << 20, StreamRequestBody: true})
	app.Use(p.fiber(), p.stagingFiber)
	app.Post("/upload", func(c *fiber.Ctx) error { return c.SendString(fmt.Sprint(len(c.Body()))) })
	app.Post("/form", func(c *fiber.Ctx) error {
		f, err := c.FormFile("photo")
		if err != nil {
			return err
		}
		return c.SendString(fmt.Sprint(f.Filename, f.Size))
	})
	return app
}

func (p *party) formInFiber3() *fiber3.App {
	app := fiber3.New(fiber3.Config{BodyLimit: 64 << 20, StreamRequestBody: true})
	app.Use(p.fiber3(), p.stagingFiber3)
	app.Post("/upload", func(c fiber3.Ctx) error { return c.SendString(fmt.Sprint(len(c.Body()))) })
	app.Post("/form", func(c fiber3.Ctx) error {
		f, err := c.FormFile("photo")
		if err != nil {
			return err
		}
		return c.SendString(fmt.Sprint(f.Filename, f.Size))
	})
	return app
}
