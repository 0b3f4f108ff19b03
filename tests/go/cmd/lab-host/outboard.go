package main

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// outboard plays just enough of Outboard's host to a plugin of Outboard: it announces host services on a broker
// id, loads the plugin, initialises one activation, and tells which endpoints service the plugin called meanwhile.
//
// Well-known messages stand for Outboard's where they are the same on the wire: LoadRequest begins with a uint32,
// LoadResponse with a string, InitRequest with two length-delimited fields, and empty answers are empty.
func (h *host) outboard() (map[string]any, error) {
	ctx, cancel := bounded()
	defer cancel()
	calls := &hostCalls{}
	id := h.lab.Broker.NextId()
	go h.lab.Broker.AcceptAndServe(id, func(options []grpc.ServerOption) *grpc.Server {
		return grpc.NewServer(append(options, grpc.UnknownServiceHandler(calls.answer))...)
	})

	name := new(wrapperspb.StringValue)
	if err := h.lifecycle(ctx, "Load", wrapperspb.UInt32(id), name); err != nil {
		return nil, err
	}
	problems := new(emptypb.Empty)
	request := &anypb.Any{TypeUrl: "act-1", Value: []byte("lab")}
	if err := h.lifecycle(ctx, "Init", request, problems); err != nil {
		return nil, err
	}
	return map[string]any{
		"name":        name.Value,
		"problems":    len(problems.ProtoReflect().GetUnknown()) > 0,
		"methods":     calls.methods,
		"activations": calls.activations,
	}, nil
}

func (h *host) lifecycle(ctx context.Context, method string, request, response any) error {
	return h.grpc.Conn.Invoke(ctx, "/outboard.plugin.v1.Lifecycle/"+method, request, response)
}

// hostCalls answers every host service with an empty message and remembers who asked for what.
type hostCalls struct {
	lock        sync.Mutex
	methods     []string
	activations []string
}

func (c *hostCalls) answer(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	facts, _ := metadata.FromIncomingContext(stream.Context())
	c.lock.Lock()
	c.methods = append(c.methods, method)
	c.activations = append(c.activations, facts.Get("outboard-activation")...)
	c.lock.Unlock()

	if err := stream.RecvMsg(new(emptypb.Empty)); err != nil {
		return err
	}
	return stream.SendMsg(new(emptypb.Empty))
}
