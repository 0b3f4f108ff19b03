// Command ext-authz asks an external authorization service what Envoy would ask, by Envoy's published stubs. It
// prints the answer as JSON, as protobuf writes it.
//
//	ext-authz [-method GET] [-path /] [-header NAME=VALUE]... [-extension NAME=VALUE]... TARGET
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"strings"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
)

// pairs is a flag that may be given several times.
type pairs map[string]string

func (p pairs) String() string { return fmt.Sprint(map[string]string(p)) }

func (p pairs) Set(text string) error {
	name, value, found := strings.Cut(text, "=")
	if !found {
		return fmt.Errorf("%q is not NAME=VALUE", text)
	}
	p[name] = value
	return nil
}

func main() {
	log.SetFlags(0)
	method := flag.String("method", "GET", "of the request that Envoy holds")
	path := flag.String("path", "/", "of that request")
	headers, extensions := pairs{}, pairs{}
	flag.Var(headers, "header", "NAME=VALUE of that request")
	flag.Var(extensions, "extension", "NAME=VALUE that Envoy's operator has written for the route")
	flag.Parse()

	answer, err := check(flag.Arg(0), &auth.AttributeContext{
		Source: &auth.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_SocketAddress{
			SocketAddress: &core.SocketAddress{
				Address:       "192.0.2.7",
				PortSpecifier: &core.SocketAddress_PortValue{PortValue: 40000},
			},
		}}},
		Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{
			Id:       "1",
			Method:   *method,
			Headers:  headers,
			Path:     *path,
			Host:     "jobs.example.org",
			Scheme:   "https",
			Protocol: "HTTP/1.1",
		}},
		ContextExtensions: extensions,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(protojson.Format(answer))
}

func check(target string, attributes *auth.AttributeContext) (*auth.CheckResponse, error) {
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return auth.NewAuthorizationClient(connection).Check(ctx, &auth.CheckRequest{Attributes: attributes})
}
