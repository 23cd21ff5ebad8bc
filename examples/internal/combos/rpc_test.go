package combos_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	taskpool "github.com/elite-libs/taskpool/core"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// health is a gRPC service that fails for "broken".
type health struct {
	grpc_health_v1.UnimplementedHealthServer
	p *party
}

func (h health) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	h.p.stage(ctx)
	if r.GetService() == "broken" {
		return nil, status.Error(codes.Internal, "broken")
	}
	return &grpc_health_v1.HealthCheckResponse{}, nil
}

// A failed RPC is a 200 with a trailer: without the interceptor its OnSuccess tasks run.
func failRPC(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	resp, err := next(ctx, req)
	taskpool.FromContext(ctx).Fail(err)
	return resp, err
}

// h2c serves h by HTTP/2 without TLS, which gRPC needs.
func h2c(t *testing.T, p *party, h http.Handler) (url string) {
	p.t, p.wire = t, listen(t)
	srv := &http.Server{Handler: h, ReadHeaderTimeout: patience, Protocols: new(http.Protocols)}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = srv.Serve(p.wire) }()
	t.Cleanup(func() { _ = srv.Close() })
	return p.wire.Addr().String()
}

func TestGRPC(t *testing.T) {
	call := func(t *testing.T, p *party, service string) error {
		s := grpc.NewServer(grpc.UnaryInterceptor(failRPC))
		grpc_health_v1.RegisterHealthServer(s, health{p: p})
		conn, err := grpc.NewClient("passthrough:///"+h2c(t, p, p.net(s)), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, err = grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
		return err
	}
	for _, service := range []string{"", "broken"} {
		t.Run("service "+service, func(t *testing.T) {
			ran.Add(1)
			var bare, with party
			with.pool = with.newPool()
			want, got := call(t, &bare, service), call(t, &with, service)
			if status.Code(got) != status.Code(want) || (got == nil) != (service == "") {
				t.Errorf("got %v, without the pool %v", got, want)
			}
			vetoed(t, &with, service != "")
		})
	}
}

// vetoed checks that the tasks ran as a failed RPC has it.
func vetoed(t *testing.T, p *party, failed bool) {
	t.Helper()
	report, began := <-p.drained, <-p.started
	if o := report.Outcome; o.Success() == failed || began.success == failed || o.Status != http.StatusOK {
		t.Errorf("OnSuccess ran: %t, outcome %+v; want success %t with a 200", began.success, o, !failed)
	}
	if o := report.Outcome; o.Release != taskpool.ReleaseStreamClosed {
		t.Errorf("released as %v, want as the stream closed", o.Release)
	}
}

func TestConnect(t *testing.T) {
	const procedure = "/shop.v1.Shop/Order"
	fail := connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			resp, err := next(ctx, req)
			taskpool.FromContext(ctx).Fail(err)
			return resp, err
		}
	})
	type request = connect.Request[wrapperspb.StringValue]
	type response = connect.Response[wrapperspb.StringValue]
	for _, protocol := range []connect.ClientOption{connect.WithGRPC(), connect.WithGRPCWeb()} {
		for _, broken := range []bool{false, true} {
			ran.Add(1)
			call := func(p *party) error {
				h := connect.NewUnaryHandler(procedure, func(ctx context.Context, r *request) (*response, error) {
					p.stage(ctx)
					if broken {
						return nil, connect.NewError(connect.CodeInternal, errors.New("broken"))
					}
					return connect.NewResponse(r.Msg), nil
				}, connect.WithInterceptors(fail))
				addr := h2c(t, p, p.net(h))
				protocols := new(http.Protocols)
				protocols.SetUnencryptedHTTP2(true)
				client := &http.Client{Transport: &http.Transport{Protocols: protocols}}
				defer client.CloseIdleConnections()
				_, err := connect.NewClient[wrapperspb.StringValue, wrapperspb.StringValue](client, "http://"+addr+procedure, protocol).
					CallUnary(t.Context(), connect.NewRequest(wrapperspb.String("tea")))
				return err
			}
			var bare, with party
			with.pool = with.newPool()
			want, got := call(&bare), call(&with)
			if (got != nil) != broken || got != nil && connect.CodeOf(got) != connect.CodeOf(want) {
				t.Errorf("got %v, without the pool %v", got, want)
			}
			vetoed(t, &with, broken)
		}
	}
}
