// Package browser starts a Chromium without a window, for the test of the page of tasks and for its picture.
package browser

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Find gives the path of the Chromium or Chrome that is installed.
func Find() (string, error) {
	var err error
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		path, missing := exec.LookPath(name)
		if missing == nil {
			return path, nil
		}
		err = missing
	}
	return "", fmt.Errorf("browser: install chromium: %w", err)
}

// Open starts the browser with a window of that size. It ends with close.
func Open(ctx context.Context, path string, width, height int) (_ context.Context, close func()) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(width, height),
		chromedp.NoSandbox, // as root it does not start with one
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-component-update", true))
	ctx, end1 := chromedp.NewExecAllocator(ctx, options...)
	ctx, end2 := chromedp.NewContext(ctx)
	return ctx, func() { end2(); end1() }
}

// Picture gives the page as a PNG, of its whole length, in a color scheme: "light" or "dark".
func Picture(ctx context.Context, scheme string) ([]byte, error) {
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}); err != nil {
		return nil, err
	}
	return chromedp.Run(ctx, chromedp.FullScreenshot(100))
}

// Until evaluates an expression of JavaScript until it is true, or ctx ends. The page's own policy does not allow to
// evaluate from within.
func Until(ctx context.Context, expression string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if err != nil || yes {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("browser: %s: %w", expression, context.Cause(ctx))
		}
	}
}
