// Command lab-plugin is a go-plugin plugin with the lab service.
//
//	lab-plugin [-versions 2,3,5]
package main

import (
	"flag"
	"log"
	"strconv"
	"strings"

	"github.com/hashicorp/go-plugin"

	"outboard.test/lab"
)

func main() {
	versions := flag.String("versions", "1", "application versions to serve, joined by commas")
	flag.Parse()

	sets := map[int]plugin.PluginSet{}
	for _, text := range strings.Split(*versions, ",") {
		version, err := strconv.Atoi(text)
		if err != nil {
			log.Fatalf("-versions: %v", err)
		}
		sets[version] = lab.Set
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  lab.Handshake,
		VersionedPlugins: sets,
		GRPCServer:       plugin.DefaultGRPCServer,
	})
}
