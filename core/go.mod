module github.com/elite-libs/taskpool/core

go 1.25.0
