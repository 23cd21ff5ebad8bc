module github.com/elite-libs/taskpool/echo/echo5

go 1.25.0

require (
	github.com/elite-libs/taskpool/core v0.1.0
	github.com/elite-libs/taskpool/nethttp v0.1.0
	github.com/labstack/echo/v5 v5.4.5
)

require golang.org/x/time v0.15.0 // indirect

replace github.com/elite-libs/taskpool/core => ../../core

replace github.com/elite-libs/taskpool/nethttp => ../../nethttp
