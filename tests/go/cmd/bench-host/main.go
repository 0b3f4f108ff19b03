// Command bench-host measures go-plugin against itself: a Go host that calls Double in a Go plugin, and the time
// from spawn to the first answer. It prints one JSON object.
//
//	bench-host -plugin PATH [-auto-mtls] calls IN_FLIGHT SECONDS
//	bench-host -plugin PATH [-auto-mtls] starts COUNT
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"outboard.test/lab"
)

func main() {
	path := flag.String("plugin", "", "program to run")
	autoMTLS := flag.Bool("auto-mtls", false, "turn AutoMTLS on")
	flag.Parse()

	var result any
	var err error
	switch flag.Arg(0) {
	case "calls":
		result, err = calls(*path, *autoMTLS, number(1), time.Duration(number(2))*time.Second)
	case "starts":
		result, err = starts(*path, *autoMTLS, number(1))
	default:
		err = fmt.Errorf("say calls or starts")
	}
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}

func number(index int) int {
	value, err := strconv.Atoi(flag.Arg(index))
	if err != nil {
		log.Fatalf("argument %d: %v", index, err)
	}
	return value
}

func spawn(path string, autoMTLS bool) (*plugin.Client, lab.Handle, error) {
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  lab.Handshake,
		Plugins:          lab.Set,
		Cmd:              exec.Command(path),
		AutoMTLS:         autoMTLS,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
	})
	protocol, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, lab.Handle{}, err
	}
	handle, err := protocol.Dispense("lab")
	if err != nil {
		client.Kill()
		return nil, lab.Handle{}, err
	}
	return client, handle.(lab.Handle), nil
}

type callsResult struct {
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
}

func calls(path string, autoMTLS bool, inFlight int, span time.Duration) (callsResult, error) {
	client, handle, err := spawn(path, autoMTLS)
	if err != nil {
		return callsResult{}, err
	}
	defer client.Kill()
	ctx := context.Background()
	for range 500 { // warm up
		if _, err := handle.Double(ctx, 21); err != nil {
			return callsResult{}, err
		}
	}

	latencies := make([][]time.Duration, inFlight)
	failures := make([]error, inFlight)
	begin := time.Now()
	end := begin.Add(span)
	var group sync.WaitGroup
	for worker := range inFlight {
		group.Go(func() {
			before := time.Now()
			for before.Before(end) {
				if _, err := handle.Double(ctx, 21); err != nil {
					failures[worker] = err
					return
				}
				after := time.Now()
				latencies[worker] = append(latencies[worker], after.Sub(before))
				before = after
			}
		})
	}
	group.Wait()
	took := time.Since(begin)
	for _, err := range failures {
		if err != nil {
			return callsResult{}, err
		}
	}
	all := slices.Concat(latencies...)
	slices.Sort(all)
	return callsResult{
		PerSecond: float64(len(all)) / took.Seconds(),
		P50:       micros(all[len(all)/2]),
		P99:       micros(all[len(all)*99/100]),
	}, nil
}

type startsResult struct {
	Micros []float64 `json:"us"`
}

func starts(path string, autoMTLS bool, count int) (startsResult, error) {
	var result startsResult
	for range count {
		begin := time.Now()
		client, handle, err := spawn(path, autoMTLS)
		if err != nil {
			return result, err
		}
		if _, err := handle.Double(context.Background(), 21); err != nil {
			client.Kill()
			return result, err
		}
		result.Micros = append(result.Micros, micros(time.Since(begin)))
		client.Kill()
	}
	return result, nil
}

func micros(span time.Duration) float64 {
	return float64(span.Nanoseconds()) / 1000
}
