// Package program is what the example programs have in common: flags, logging, the pool, signals, the end. A main adds
// its framework:
//
//	func main() { program.Main(serve) }
//
//	func serve(ctx context.Context, p program.Program) error {
//		// routes that call p.Orders, behind the taskpool middleware for p.Source
//		return httppool.ServeListener(ctx, srv, p.Listener, p.Source, p.Limit)
//	}
package program
