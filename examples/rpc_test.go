package examples_test

import (
	"context"
	"fmt"
	"net"
	"net/http"

	taskpool "github.com/elite-libs/taskpool/core"
	httppool "github.com/elite-libs/taskpool/nethttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// failRPC tells the pool of a failed RPC. To HTTP it is a 200 whose trailer has the error, so without
// this what is staged with OnSuccess would run. With connect-go it is the same, in a connect.UnaryInterceptorFunc.
func failRPC(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	resp, err := next(ctx, req)
	taskpool.FromContext(ctx).Fail(err) // nil is no failure
	return resp, err
}

type shopHealth struct {
	grpc_health_v1.UnimplementedHealthServer
}

func (shopHealth) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	scope := taskpool.FromContext(ctx)
	if err := scope.OnSuccess(func(context.Context) error { return nil }); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	if r.GetService() != "orders" {
		return nil, status.Error(codes.NotFound, "no such service")
	}
	return &grpc_health_v1.HealthCheckResponse{}, nil
}

// A gRPC server is an http.Handler, so its RPCs get a scope from httppool.Middleware.
func Example_grpc() {
	for _, service := range []string{"orders", "carts"} {
		report, err := check(service)
		fmt.Printf("%s: %v, tasks succeeded %d, discarded %d\n", service, status.Code(err), report.Succeeded, report.Discarded)
	}
	// Output:
	// orders: OK, tasks succeeded 1, discarded 0
	// carts: NotFound, tasks succeeded 0, discarded 1
}

// check asks a server of its own, and reports what became of the tasks.
func check(service string) (r taskpool.Report, err error) {
	pool := taskpool.New(taskpool.Config{})
	rpcs := grpc.NewServer(grpc.UnaryInterceptor(failRPC))
	grpc_health_v1.RegisterHealthServer(rpcs, shopHealth{})
	srv := &http.Server{Handler: httppool.Middleware(pool)(rpcs), Protocols: new(http.Protocols)}
	srv.Protocols.SetUnencryptedHTTP2(true)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return r, err
	}
	go func() { _ = srv.Serve(ln) }() // until Close
	defer srv.Close()

	conn, err := grpc.NewClient(ln.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return r, err
	}
	defer conn.Close()
	_, err = grpc_health_v1.NewHealthClient(conn).Check(context.Background(), &grpc_health_v1.HealthCheckRequest{Service: service})
	r, _ = pool.Done(context.Background()) // a Drain would not wait for what is still staged
	return r, err
}
