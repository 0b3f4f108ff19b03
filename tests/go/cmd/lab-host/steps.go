package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"outboard.test/lab"
)

// Large enough that a default limit of 4 MiB refuses it.
const big = 5 << 20

var steps = map[string]func(*host) (map[string]any, error){
	"ping":     func(h *host) (map[string]any, error) { return nil, h.grpc.Ping() },
	"health":   (*host).health,
	"double":   (*host).double,
	"big":      (*host).big,
	"print":    (*host).print,
	"dial":     (*host).dial,
	"serve":    (*host).serve,
	"outboard": (*host).outboard,
	"kill":     (*host).kill,
}

func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 10*time.Second)
}

func (h *host) health() (map[string]any, error) {
	ctx, cancel := bounded()
	defer cancel()
	facts := map[string]any{}
	client := grpc_health_v1.NewHealthClient(h.grpc.Conn)
	for _, service := range []string{"plugin", "", "nope"} {
		answer, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil {
			facts[service] = status.Code(err).String()
		} else {
			facts[service] = answer.Status.String()
		}
	}
	return facts, nil
}

func (h *host) double() (map[string]any, error) {
	ctx, cancel := bounded()
	defer cancel()
	value, err := h.lab.Double(ctx, 21)
	return map[string]any{"value": value}, err
}

func (h *host) big() (map[string]any, error) {
	ctx, cancel := bounded()
	defer cancel()
	measured, err := h.lab.Measure(ctx, big)
	if err != nil {
		return nil, fmt.Errorf("to the plugin: %w", err)
	}
	filled, err := h.lab.Fill(ctx, big)
	return map[string]any{"to_plugin": measured, "from_plugin": filled}, err
}

// printed is how much the step print has the plugin print.
const printed = 1 << 20

// counter counts what the plugin printed.
type counter struct {
	bytes atomic.Int64
	full  chan struct{}
}

func (c *counter) Write(data []byte) (int, error) {
	if after := c.bytes.Add(int64(len(data))); after >= printed && after-int64(len(data)) < printed {
		close(c.full)
	}
	return len(data), nil
}

func (h *host) print() (map[string]any, error) {
	ctx, cancel := bounded()
	defer cancel()
	if err := h.lab.PrintOut(ctx, strings.Repeat("x", printed)); err != nil {
		return nil, err
	}
	select {
	case <-h.stdout.full:
	case <-ctx.Done():
	}
	return map[string]any{"bytes": h.stdout.bytes.Load()}, nil
}

// dial: the plugin serves on a broker id, the host dials it.
func (h *host) dial() (map[string]any, error) {
	ctx, cancel := bounded()
	defer cancel()
	id, err := h.lab.NextID(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.lab.Serve(ctx, id); err != nil {
		return nil, err
	}
	connection, err := h.lab.Broker.Dial(id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close() }()
	value, err := lab.Client{Connection: connection}.Double(ctx, 21)
	return map[string]any{"id": id, "value": value}, err
}

// serve: the host serves on a broker id, the plugin dials it.
func (h *host) serve() (map[string]any, error) {
	ctx, cancel := bounded()
	defer cancel()
	id := h.lab.Broker.NextId()
	servers := make(chan *grpc.Server, 1)
	go h.lab.Broker.AcceptAndServe(id, func(options []grpc.ServerOption) *grpc.Server {
		server := lab.Served(options)
		servers <- server
		return server
	})
	value, err := h.lab.Dial(ctx, id)
	select {
	case server := <-servers:
		server.Stop()
	case <-ctx.Done():
	}
	return map[string]any{"id": id, "value": value}, err
}

func (h *host) kill() (map[string]any, error) {
	address := h.client.ReattachConfig().Addr.String()
	begin := time.Now()
	h.client.Kill()
	took := time.Since(begin)
	_, err := os.Stat(address)
	return map[string]any{
		"ms":          float64(took.Microseconds()) / 1000,
		"code":        h.command.ProcessState.ExitCode(),
		"socket_left": err == nil,
	}, nil
}
