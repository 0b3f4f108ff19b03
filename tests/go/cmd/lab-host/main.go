// Command lab-host runs a plugin under an unmodified go-plugin host and does the steps that it is told, in order.
// It prints a JSON object for each step.
//
//	lab-host -plugin PATH [-cookie KEY=VALUE] [-auto-mtls] [-versions 3,2,9] STEP...
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"outboard.test/lab"
)

func main() {
	path := flag.String("plugin", "", "program to run")
	cookie := flag.String("cookie", lab.Handshake.MagicCookieKey+"="+lab.Handshake.MagicCookieValue, "KEY=VALUE")
	autoMTLS := flag.Bool("auto-mtls", false, "turn AutoMTLS on")
	versions := flag.String("versions", "1", "application versions to offer, joined by commas")
	flag.Parse()

	host, err := start(*path, *cookie, *versions, *autoMTLS)
	if err != nil {
		report("start", nil, err)
		os.Exit(1)
	}
	defer host.client.Kill()
	report("start", map[string]any{"version": host.client.NegotiatedVersion()}, nil)
	for _, step := range flag.Args() {
		run, known := steps[step]
		if !known {
			report(step, nil, fmt.Errorf("no such step"))
			continue
		}
		facts, err := run(host)
		report(step, facts, err)
	}
}

// host is a running plugin and what was collected from it.
type host struct {
	client  *plugin.Client
	command *exec.Cmd
	grpc    *plugin.GRPCClient
	lab     lab.Handle
	stdout  *counter
}

func start(path, cookie, versions string, autoMTLS bool) (*host, error) {
	key, value, _ := strings.Cut(cookie, "=")
	sets := map[int]plugin.PluginSet{}
	for _, text := range strings.Split(versions, ",") {
		version, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("-versions: %w", err)
		}
		sets[version] = lab.Set
	}
	command := exec.Command(path)
	stdout := &counter{full: make(chan struct{})}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  plugin.HandshakeConfig{MagicCookieKey: key, MagicCookieValue: value},
		VersionedPlugins: sets,
		Cmd:              command,
		AutoMTLS:         autoMTLS,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SyncStdout:       stdout,
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr}),
	})
	protocol, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, err
	}
	handle, err := protocol.Dispense("lab")
	if err != nil {
		client.Kill()
		return nil, err
	}
	return &host{client, command, protocol.(*plugin.GRPCClient), handle.(lab.Handle), stdout}, nil
}

func report(step string, facts map[string]any, err error) {
	line := map[string]any{"step": step}
	for key, value := range facts {
		line[key] = value
	}
	if err != nil {
		line["error"] = err.Error()
	}
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}
