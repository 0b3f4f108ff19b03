package lab

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// Plugin joins the service to go-plugin, on either side.
type Plugin struct {
	plugin.NetRPCUnsupportedPlugin
}

// Handle is what a host gets from Dispense.
type Handle struct {
	Client
	Broker *plugin.GRPCBroker
}

// GRPCServer registers the service in a plugin.
func (Plugin) GRPCServer(broker *plugin.GRPCBroker, server *grpc.Server) error {
	Register(server, &Server{Broker: broker})
	return nil
}

// GRPCClient makes a host's Handle.
func (Plugin) GRPCClient(_ context.Context, broker *plugin.GRPCBroker, connection *grpc.ClientConn) (any, error) {
	return Handle{Client{connection}, broker}, nil
}

// Set is the plugin set that lab plugins and hosts share.
var Set = plugin.PluginSet{"lab": Plugin{}}
