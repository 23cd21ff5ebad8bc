package examples_test

import (
	"regexp"
	"strings"
	"testing"
)

// TestTour runs the small programs as a newcomer does, and looks for what they should show.
func TestTour(t *testing.T) {
	for _, tt := range []struct {
		program string
		args    []string
		code    int
		stdout  string
		stderr  string
	}{
		{"ratelimit", []string{"-repos", "6", "-quota", "4", "-at-once", "5"}, 0,
			`(?s)^mirrored  1 of 6, window 1: .*mirrored  6 of 6, window \d+: .*\n6 of 6 repositories in \d+ windows, .*; the API refused \d+ requests\n$`, `^$`},
		{"ratelimit", []string{"-quota", "0"}, 1, `^$`, `^ratelimit: .* must be more than 0\n$`},
		{"fanout", []string{"-slow", "20ms", "-workers", "3"}, 0,
			`(?s)^GET \S+/product: 200 OK .*\nprice: 42 EUR\nstock: 7 pieces\nreviews: 4.5 of 5\n.*/broken: 502 Bad Gateway .*\nstock: got 500 .* calls to upstreams in all, at most \d+ at once, \d canceled\n$`, `^$`},
		{"fanout", []string{"-workers", "0"}, 1, `^$`, `^fanout: -workers must be more than 0`},
		{"migrate", nil, 0,
			`^before .* 20 of 20 .*: \d+ mails sent, .*\ndetached .* 20 of 20 .*: \d+ mails sent, 0 canceled, .*\nafter .* 20 of 20 .*: 20 mails sent, 0 canceled, 0 panicked, 0 lost; at most [1-4] at once\n$`, ``},
		{"migrate", []string{"-only", "before", "-takes", "1h"}, 0, `^before .* 20 of 20 .*: 0 mails sent, `, ``},
		{"migrate", []string{"-only", "before", "-panic"}, 2, `^$`, `panic: no template`}, // what a panic of a process is
		{"migrate", []string{"-only", "after", "-panic"}, 0,
			`^after .* 20 of 20 .*: 19 mails sent, 0 canceled, 1 panicked, 0 lost; .*\n$`, `task panicked`},
		{"migrate", []string{"-only", "never"}, 1, `^$`, `^migrate: -only "never"`},
	} {
		t.Run(tt.program+" "+strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			c := launch(t, build(t, tt.program), tt.args...)
			if code := c.wait(t).ExitCode(); code != tt.code {
				t.Errorf("got exit code %d, want %d", code, tt.code)
			}
			if out := c.stdout.String(); !regexp.MustCompile(tt.stdout).MatchString(out) {
				t.Errorf("got %q, want %s", out, tt.stdout)
			}
			if log := c.stderr.String(); !regexp.MustCompile(tt.stderr).MatchString(log) {
				t.Errorf("got %q, want %s", log, tt.stderr)
			}
		})
	}
}
