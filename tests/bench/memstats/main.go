// What `make bench` compares /status with: a page of a Go program that reads
// runtime.MemStats and replies with the same figures as JSON, by net/http and
// encoding/json. It prints its port and runs until its standard input ends.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

type memory struct {
	AllocBytes      uint64 `json:"alloc_bytes"`
	TotalAllocBytes uint64 `json:"total_alloc_bytes"`
	Mallocs         uint64 `json:"mallocs"`
	Frees           uint64 `json:"frees"`
	LiveObjects     uint64 `json:"live_objects"`
	HeapSysBytes    uint64 `json:"heap_sys_bytes"`
	HeapFreeBytes   uint64 `json:"heap_free_bytes"`
}

type status struct {
	Server        string  `json:"server"`
	Version       string  `json:"version"`
	Pid           int     `json:"pid"`
	UptimeSeconds float64 `json:"uptime_seconds"`
	Memory        memory  `json:"memory"`
	Goroutines    int     `json:"goroutines"`
	RequestsTotal uint64  `json:"requests_total"`
}

var (
	started       = time.Now()
	requestsTotal uint64
)

func statusPage(w http.ResponseWriter, _ *http.Request) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	text, err := json.Marshal(status{
		Server:        "memstats",
		Version:       runtime.Version(),
		Pid:           os.Getpid(),
		UptimeSeconds: time.Since(started).Seconds(),
		Memory: memory{
			AllocBytes:      stats.Alloc,
			TotalAllocBytes: stats.TotalAlloc,
			Mallocs:         stats.Mallocs,
			Frees:           stats.Frees,
			LiveObjects:     stats.HeapObjects,
			HeapSysBytes:    stats.Sys,
			HeapFreeBytes:   stats.HeapIdle,
		},
		Goroutines:    runtime.NumGoroutine(),
		RequestsTotal: atomic.AddUint64(&requestsTotal, 1),
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(text, '\n'))
}

func main() {
	http.HandleFunc("/status", statusPage)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go http.Serve(listener, nil)
	io.Copy(io.Discard, os.Stdin)
}
