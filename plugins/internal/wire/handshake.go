package wire

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/berth-dev/berth/plugins/internal/pluginpb"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provisioner"
)

// Protocol is the version of the contract in plugin.proto. It changes only when
// the rules for growth written there do not suffice.
const Protocol = 1

// The kinds of plugins. A kind is the name in go-plugin's plugin set and a part
// of the name of the binary: berth-provider-lxc.
const (
	Provider    = "provider"
	Provisioner = "provisioner"
)

// Handshake must be equal on both sides. The cookie is no secret: it tells a
// plugin that Berth started it, and not a person.
var Handshake = plugin.HandshakeConfig{
	ProtocolVersion:  Protocol,
	MagicCookieKey:   "BERTH_PLUGIN_COOKIE",
	MagicCookieValue: "5c1e0f6b7d2f4d0c9a41-berth-plugin",
}

// MaxMessage is how large a message may be, for either side: an argument such as
// a script, an environment or an error. gRPC's own limit of 4 MiB is less than what
// an Envfile can say, and go-plugin's for what its host receives is none.
const MaxMessage = 64 << 20

// ServerOptions are for every server, and DialOptions for every client.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.MaxRecvMsgSize(MaxMessage)}
}

func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage))}
}

// ProviderSet is the plugin set of a provider. A host leaves construct nil.
func ProviderSet(construct func() provider.Provider) plugin.PluginSet {
	return plugin.PluginSet{Provider: &providerPlugin{construct: construct}}
}

// ProvisionerSet is the plugin set of a provisioner. A host leaves construct nil.
func ProvisionerSet(construct func() provisioner.Provisioner) plugin.PluginSet {
	return plugin.PluginSet{Provisioner: &provisionerPlugin{construct: construct}}
}

type providerPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	construct func() provider.Provider
}

func (p *providerPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	pluginpb.RegisterProviderServer(s, &providerServer{construct: p.construct})
	return nil
}

func (p *providerPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return &ProviderClient{rpc: pluginpb.NewProviderClient(c)}, nil
}

type provisionerPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	construct func() provisioner.Provisioner
}

func (p *provisionerPlugin) GRPCServer(b *plugin.GRPCBroker, s *grpc.Server) error {
	pluginpb.RegisterProvisionerServer(s, &provisionerServer{construct: p.construct, broker: b})
	return nil
}

func (p *provisionerPlugin) GRPCClient(_ context.Context, b *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return &ProvisionerClient{rpc: pluginpb.NewProvisionerClient(c), broker: b}, nil
}
