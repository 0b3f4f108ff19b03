package lab

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Client calls the service over a connection.
type Client struct {
	Connection *grpc.ClientConn
}

func (c Client) call(ctx context.Context, method string, request, response any) error {
	return c.Connection.Invoke(ctx, "/"+Service+"/"+method, request, response)
}

// Double gives twice the number.
func (c Client) Double(ctx context.Context, number int64) (int64, error) {
	response := new(wrapperspb.Int64Value)
	err := c.call(ctx, "Double", wrapperspb.Int64(number), response)
	return response.Value, err
}

// Measure sends size bytes and gives how many arrived.
func (c Client) Measure(ctx context.Context, size int) (int64, error) {
	response := new(wrapperspb.Int64Value)
	err := c.call(ctx, "Measure", wrapperspb.Bytes(make([]byte, size)), response)
	return response.Value, err
}

// Fill asks for size bytes and gives how many arrived.
func (c Client) Fill(ctx context.Context, size int64) (int, error) {
	response := new(wrapperspb.BytesValue)
	err := c.call(ctx, "Fill", wrapperspb.Int64(size), response)
	return len(response.Value), err
}

// PrintOut has the other side print the text on its stdout.
func (c Client) PrintOut(ctx context.Context, text string) error {
	return c.call(ctx, "PrintOut", wrapperspb.String(text), new(emptypb.Empty))
}

// Serve has the other side serve on a broker id.
func (c Client) Serve(ctx context.Context, id uint32) error {
	return c.call(ctx, "Serve", wrapperspb.UInt32(id), new(emptypb.Empty))
}

// Dial has the other side dial a broker id, and gives what Double(21) answered there.
func (c Client) Dial(ctx context.Context, id uint32) (int64, error) {
	response := new(wrapperspb.Int64Value)
	err := c.call(ctx, "Dial", wrapperspb.UInt32(id), response)
	return response.Value, err
}

// NextID takes an id from the other side's counter.
func (c Client) NextID(ctx context.Context) (uint32, error) {
	response := new(wrapperspb.UInt32Value)
	err := c.call(ctx, "NextId", new(emptypb.Empty), response)
	return response.Value, err
}
