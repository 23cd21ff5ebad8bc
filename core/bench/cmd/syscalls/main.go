// The syscalls command counts the system calls of a request, with the middleware
// and without, and prints a table. It needs strace, under which it starts itself
// again as the server: see bench.Serve.
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/elite-libs/taskpool/core/bench"
)

// shown are the calls that have a column of their own.
var shown = []string{"read", "write", "epoll_pwait", "epoll_ctl", "futex", "nanosleep"}

func main() {
	var (
		requests = flag.Int("requests", 20_000, "how many are counted")
		only     = flag.String("framework", "", "nethttp, gin, echo or fiber; empty is all")
		serve    = flag.String("serve", "", "serve this framework until stdin ends, and print the address")
		as       = flag.String("as", bench.Engine, "how to -serve: engine, bare or goroutines")
		tasks    = flag.Int("tasks", 0, "how many each request of -serve has")
	)
	flag.Parse()
	err := errors.New("how many -requests?")
	switch {
	case *serve != "":
		err = server(*serve, *as, *tasks)
	case *requests > 0:
		err = table(*only, *requests)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "syscalls:", err)
		os.Exit(1)
	}
}

func server(framework, as string, tasks int) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	ctx, stop := context.WithCancel(context.Background())
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); stop() }()
	return bench.Serve(ctx, ln, framework, as, tasks)
}

func table(only string, requests int) error {
	fmt.Printf("| calls of a request | %s | others |\n|---|%s\n", strings.Join(shown, " | "), strings.Repeat("---|", len(shown)+1))
	ways := []struct {
		as    string
		tasks int
	}{{"bare", 0}, {bench.Engine, 0}, {bench.Engine, 3}, {"goroutines", 3}}
	for _, framework := range []string{"nethttp", "gin", "echo", "fiber"} {
		if only != "" && only != framework {
			continue
		}
		for _, way := range ways {
			calls, err := count(framework, way.as, way.tasks, requests)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", framework, way.as, err)
			}
			fmt.Printf("| %s, %s, tasks: %d |", framework, way.as, way.tasks)
			others := calls["total"]
			for _, name := range shown {
				fmt.Printf(" %.2f |", float64(calls[name])/float64(requests))
				others -= calls[name]
			}
			fmt.Printf(" %.2f |\n", float64(others)/float64(requests))
		}
	}
	return nil
}

// count is the calls of a server that answers so many requests, by name.
func count(framework, as string, tasks, requests int) (calls map[string]int, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "syscalls")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	summary := filepath.Join(dir, "summary")
	cmd := exec.Command("strace", "-f", "-c", "-o", summary, self, "-serve", framework, "-as", as, "-tasks", strconv.Itoa(tasks))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		err = bench.Load(strings.TrimSpace(addr), requests)
	}
	_ = stdin.Close()
	if err := cmp.Or(cmd.Wait(), err); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(summary)
	return parse(string(text)), err
}

// parse takes the counts out of what strace -c prints: the fourth column, by the
// last. The last line is their total.
func parse(summary string) map[string]int {
	calls := map[string]int{}
	for line := range strings.Lines(summary) {
		if f := strings.Fields(line); len(f) >= 5 {
			if n, err := strconv.Atoi(f[3]); err == nil {
				calls[f[len(f)-1]] = n
			}
		}
	}
	return calls
}
