package combos_test

import (
	"fmt"
	"os"
	"testing"
)

// child is what the process does instead of testing, where that has to be done by a process of its own.
var child func(role string)

const roleKey = "COMBOS_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleKey); role != "" && child != nil {
		child(role)
		return
	}
	code := m.Run()
	if testing.Verbose() {
		fmt.Println(ran.Load(), "combinations")
	}
	os.Exit(code)
}

// TestChaos runs the matrix whole: untracked servers too, and large uploads.
func TestChaos(t *testing.T) {
	if !inFull() {
		t.Skip("it takes a minute or two: make chaos")
	}
	for name, test := range map[string]func(*testing.T){
		"net/http": TestNetHTTP, "chi": TestChi, "Gin": TestGin, "Echo": TestEcho, "Echo, others": TestEchoServesOthers, "Echo 5": TestEcho5, "Echo 5, others": TestEcho5ServesOthers, "Fiber": TestFiber, "Fiber 3": TestFiber3,
		"OpenTelemetry": TestOpenTelemetry, "ReverseProxy": TestReverseProxy, "uploads": TestUploads, "WebSocket": TestWebSockets,
		"gRPC": TestGRPC, "Connect": TestConnect, "servers": TestServers,
	} {
		t.Run(name, test)
	}
}
