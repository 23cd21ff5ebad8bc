// No sibling is required here: that would need a replace directive, and go install takes no module by version that has one.
module github.com/elite-libs/taskpool/core/poolvet

go 1.25.0

require golang.org/x/tools v0.47.0

require (
	golang.org/x/mod v0.37.0 // indirect
	golang.org/x/sync v0.21.0 // indirect
)
