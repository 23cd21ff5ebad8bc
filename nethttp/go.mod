module github.com/elite-libs/taskpool/nethttp

go 1.25.0

require github.com/elite-libs/taskpool/core v0.1.0

replace github.com/elite-libs/taskpool/core => ../core
