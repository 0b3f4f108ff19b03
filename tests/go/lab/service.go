// Package lab is the service of tests/proto/lab.proto for plugins and hosts in Go: what go-plugin's own
// examples do not show. Its messages are well-known wrappers, so the service is described here by hand.
package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Service is the full name on the wire.
const Service = "lab.Lab"

// Handshake is the cookie that lab plugins and hosts share.
var Handshake = plugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "OUTBOARD_LAB",
	MagicCookieValue: "lab",
}

// Server answers the service. Broker is the one that Serve and Dial use; a Server that is itself served
// through a broker has none.
type Server struct {
	Broker *plugin.GRPCBroker
}

// Register adds the service to a gRPC server.
func Register(server *grpc.Server, lab *Server) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: Service,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			unary("Double", (*Server).double),
			unary("Measure", (*Server).measure),
			unary("Fill", (*Server).fill),
			unary("PrintOut", (*Server).printOut),
			unary("PrintErr", (*Server).printErr),
			unary("Serve", (*Server).serve),
			unary("Dial", (*Server).dial),
			unary("NextId", (*Server).nextID),
		},
	}, lab)
}

func unary[Request, Response any](
	name string,
	answer func(*Server, context.Context, *Request) (*Response, error),
) grpc.MethodDesc {
	handler := func(server any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		request := new(Request)
		if err := decode(request); err != nil {
			return nil, err
		}
		return answer(server.(*Server), ctx, request)
	}
	return grpc.MethodDesc{MethodName: name, Handler: handler}
}

func (*Server) double(_ context.Context, number *wrapperspb.Int64Value) (*wrapperspb.Int64Value, error) {
	return wrapperspb.Int64(2 * number.Value), nil
}

func (*Server) measure(_ context.Context, data *wrapperspb.BytesValue) (*wrapperspb.Int64Value, error) {
	return wrapperspb.Int64(int64(len(data.Value))), nil
}

func (*Server) fill(_ context.Context, size *wrapperspb.Int64Value) (*wrapperspb.BytesValue, error) {
	return wrapperspb.Bytes(bytes.Repeat([]byte{'x'}, int(size.Value))), nil
}

func (*Server) printOut(_ context.Context, text *wrapperspb.StringValue) (*emptypb.Empty, error) {
	_, err := fmt.Fprint(os.Stdout, text.Value)
	return &emptypb.Empty{}, err
}

func (*Server) printErr(_ context.Context, text *wrapperspb.StringValue) (*emptypb.Empty, error) {
	_, err := fmt.Fprint(os.Stderr, text.Value)
	return &emptypb.Empty{}, err
}

func (s *Server) serve(_ context.Context, id *wrapperspb.UInt32Value) (*emptypb.Empty, error) {
	if s.Broker == nil {
		return nil, status.Error(codes.FailedPrecondition, "served without a broker")
	}
	go s.Broker.AcceptAndServe(id.Value, Served)
	return &emptypb.Empty{}, nil
}

// Served makes the server that AcceptAndServe wants: the lab service without a broker of its own.
func Served(options []grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(options...)
	Register(server, &Server{})
	return server
}

func (s *Server) dial(ctx context.Context, id *wrapperspb.UInt32Value) (*wrapperspb.Int64Value, error) {
	if s.Broker == nil {
		return nil, status.Error(codes.FailedPrecondition, "served without a broker")
	}
	connection, err := s.Broker.Dial(id.Value)
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	defer func() { _ = connection.Close() }()
	answer, err := Client{connection}.Double(ctx, 21)
	return wrapperspb.Int64(answer), err
}

func (s *Server) nextID(context.Context, *emptypb.Empty) (*wrapperspb.UInt32Value, error) {
	if s.Broker == nil {
		return nil, status.Error(codes.FailedPrecondition, "served without a broker")
	}
	return wrapperspb.UInt32(s.Broker.NextId()), nil
}
