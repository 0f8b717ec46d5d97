// A server to test the judge with, in Go: /slice keeps a slice with every
// request, /goroutine leaves a goroutine behind, /clean does the same work and
// leaves nothing. Profiles come from net/http/pprof. With the argument "proto" there
// are profile.protos alone, as a server of another language has them: exact ones, and
// packed with gzip.
package main

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
)

const payloadBytes = 256 * 1024

var (
	keptLock sync.Mutex
	kept     [][]byte
)

func payloadRead() []byte {
	payload := make([]byte, payloadBytes)
	for i := range payload {
		payload[i] = byte(i)
	}
	return payload
}

func keepSlice(w http.ResponseWriter, _ *http.Request) {
	payload := payloadRead()
	keptLock.Lock()
	kept = append(kept, payload[:10])
	keptLock.Unlock()
	fmt.Fprintln(w, "kept")
}

func waitForever(never chan int) {
	<-never
}

func leaveGoroutine(w http.ResponseWriter, _ *http.Request) {
	go waitForever(make(chan int))
	fmt.Fprintln(w, "left")
}

func workCleanly(w http.ResponseWriter, _ *http.Request) {
	payload := payloadRead()
	done := make(chan int)
	go func() { done <- int(payload[1]) }()
	fmt.Fprintln(w, "done", <-done)
}

// serveProto serves profiles on a mux of its own, and knows no parameters.
func serveProto(mux *http.ServeMux) {
	for _, name := range []string{"heap", "goroutine"} {
		name := name
		mux.HandleFunc("/debug/pprof/"+name, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery != "" {
				http.Error(w, "no parameters", http.StatusBadRequest)
				return
			}
			runtime.GC()
			runtime.GC() // the profile is as of the last but one
			pprof.Lookup(name).WriteTo(w, 0)
		})
	}
}

func init() {
	if len(os.Args) > 1 && os.Args[1] == "proto" {
		runtime.MemProfileRate = 1
	}
}

func main() {
	handler := http.DefaultServeMux
	if len(os.Args) > 1 && os.Args[1] == "proto" {
		handler = http.NewServeMux()
		serveProto(handler)
		handler.HandleFunc("/slice", keepSlice)
		handler.HandleFunc("/goroutine", leaveGoroutine)
		handler.HandleFunc("/clean", workCleanly)
	}
	http.HandleFunc("/slice", keepSlice)
	http.HandleFunc("/goroutine", leaveGoroutine)
	http.HandleFunc("/clean", workCleanly)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	fmt.Fprintln(os.Stderr, http.Serve(listener, handler))
	os.Exit(1)
}
