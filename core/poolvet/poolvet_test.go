package poolvet_test

import (
	"testing"

	"github.com/elite-libs/taskpool/core/poolvet"
	"golang.org/x/tools/go/analysis/analysistest"
)

// TestAnalyzerFindsTheSeededFaultsOnly runs over packages in which each fault is
// marked: analysistest fails for a fault that is not reported, and for
// a report where there is no fault.
func TestAnalyzerFindsTheSeededFaultsOnly(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), poolvet.Analyzer,
		"gohttp", "goframework", "goquiet",
		"taskhttp", "taskframework", "taskquiet",
		"fiberstrings", "fiberimmutable", "fiberparsers", "fiberbinders", "routers", "ignored", "client", "shop")
}
