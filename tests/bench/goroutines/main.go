// The yardstick of `make bench` for thread profiles: a Go program with as many stuck
// goroutines as its argument says, and Go's own profiles over HTTP. Each goroutine waits
// on a channel two calls deep, as the lab's stuck threads do. It says its port on
// standard output and runs until its standard input ends.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"strconv"
)

func receive(never chan int) int {
	return <-never
}

func worker(started chan<- bool, never chan int) {
	started <- true
	receive(never)
}

func main() {
	count := 0
	if len(os.Args) == 2 {
		count, _ = strconv.Atoi(os.Args[1])
	}
	if count < 1 {
		fmt.Fprintln(os.Stderr, "usage: goroutines COUNT")
		os.Exit(2)
	}
	started := make(chan bool)
	for i := 0; i < count; i++ {
		go worker(started, make(chan int))
		<-started
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go http.Serve(listener, nil)
	io.Copy(io.Discard, os.Stdin)
}
