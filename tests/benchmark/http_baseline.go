// http_baseline ADDRESS < INSTANCES answers GET /instances/{id}/stats like an ordinary Go program: it
// reads the four kernel files, fills a struct and marshals it. A line of INSTANCES is: id, name, pid,
// TAP, allocated bytes, vCPUs. The program reads INSTANCES at its start and checks nothing on a request.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
)

const ticksPerSecond = 100

type instance struct {
	name, pid, tap   string
	allocated, vcpus uint64
}

type stats struct {
	InstanceID           string  `json:"instance_id"`
	InstanceName         string  `json:"instance_name"`
	CPUSeconds           float64 `json:"cpu_seconds"`
	MemoryRSSBytes       uint64  `json:"memory_rss_bytes"`
	MemoryVMSBytes       uint64  `json:"memory_vms_bytes"`
	NetworkRxBytes       uint64  `json:"network_rx_bytes"`
	NetworkTxBytes       uint64  `json:"network_tx_bytes"`
	AllocatedVcpus       uint64  `json:"allocated_vcpus"`
	AllocatedMemoryBytes uint64  `json:"allocated_memory_bytes"`
	MemoryUtilization    float64 `json:"memory_utilization_ratio"`
}

func number(text string) uint64 {
	value, _ := strconv.ParseUint(text, 10, 64)
	return value
}

func counter(tap, name string) (uint64, error) {
	text, err := os.ReadFile("/sys/class/net/" + tap + "/statistics/" + name)
	return number(strings.TrimSpace(string(text))), err
}

func measure(id string, of instance) (*stats, error) {
	stat, err := os.ReadFile("/proc/" + of.pid + "/stat")
	if err != nil {
		return nil, err
	}
	statm, err := os.ReadFile("/proc/" + of.pid + "/statm")
	if err != nil {
		return nil, err
	}
	rx, err := counter(of.tap, "tx_bytes")
	if err != nil {
		return nil, err
	}
	tx, err := counter(of.tap, "rx_bytes")
	if err != nil {
		return nil, err
	}
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	pages := strings.Fields(string(statm))
	pageSize := uint64(os.Getpagesize())
	rss := number(pages[1]) * pageSize
	return &stats{
		InstanceID:           id,
		InstanceName:         of.name,
		CPUSeconds:           float64(number(fields[11])+number(fields[12])) / ticksPerSecond,
		MemoryRSSBytes:       rss,
		MemoryVMSBytes:       number(pages[0]) * pageSize,
		NetworkRxBytes:       rx,
		NetworkTxBytes:       tx,
		AllocatedVcpus:       of.vcpus,
		AllocatedMemoryBytes: of.allocated,
		MemoryUtilization:    float64(rss) / float64(of.allocated),
	}, nil
}

func main() {
	instances := map[string]instance{}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		part := strings.Fields(lines.Text())
		instances[part[0]] = instance{part[1], part[2], part[3], number(part[4]), number(part[5])}
	}
	http.HandleFunc("/instances/", func(answer http.ResponseWriter, request *http.Request) {
		id := strings.TrimSuffix(strings.TrimPrefix(request.URL.Path, "/instances/"), "/stats")
		of, known := instances[id]
		if !known {
			http.NotFound(answer, request)
			return
		}
		measured, err := measure(id, of)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
			return
		}
		body, err := json.MarshalIndent(measured, "", "  ")
		if err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
			return
		}
		answer.Header().Set("Content-Type", "application/json")
		fmt.Fprintln(answer, string(body))
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
