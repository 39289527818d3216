// Without a module the runtime would behave as that of Go 1.20 did, with its older timers for one.

//go:debug default=go1.24

// Crowd runs many nodes of hashicorp memberlist in one process, on loopback addresses, and measures what only they know.
//
// It is driven over standard input and output, one JSON object a line each way; the README in the folder above says how.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// memberlistVersion is that of the package compiled against; the linker sets it.
var memberlistVersion = "unknown"

// command performs what one line of input asks for, and gives its answer.
type command func(*crowd, []byte) (any, error)

var commands = map[string]command{
	"hello":     reading((*crowd).hello),
	"create":    reading((*crowd).create),
	"join":      among((*crowd).join),
	"rest":      among((*crowd).rest),
	"kill":      among((*crowd).kill),
	"broadcast": among((*crowd).broadcast),
	"pour":      among((*crowd).pour),
}

// failure is the answer to what went wrong.
type failure struct {
	Error string `json:"error"`
}

func main() {
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<20)
	output := json.NewEncoder(os.Stdout)
	for crowd := new(crowd); input.Scan(); {
		answer, err := perform(crowd, input.Bytes())
		if err != nil {
			answer = failure{err.Error()}
		}
		if err := output.Encode(answer); err != nil {
			fmt.Fprintln(os.Stderr, "crowd: standard output:", err)
			os.Exit(1)
		}
	}
}

func perform(crowd *crowd, line []byte) (any, error) {
	var request struct {
		Do string `json:"do"`
	}
	if err := json.Unmarshal(line, &request); err != nil {
		return nil, err
	}
	command, found := commands[request.Do]
	if !found {
		return nil, fmt.Errorf("unknown command %q", request.Do)
	}
	return command(crowd, line)
}

// reading makes a command of a method and the order that it takes.
func reading[Order any](method func(*crowd, Order) (any, error)) command {
	return func(crowd *crowd, line []byte) (any, error) {
		var order Order
		if err := json.Unmarshal(line, &order); err != nil {
			return nil, err
		}
		return method(crowd, order)
	}
}

// among is reading for what needs nodes.
func among[Order any](method func(*crowd, Order) (any, error)) command {
	read := reading(method)
	return func(crowd *crowd, line []byte) (any, error) {
		if crowd.board == nil {
			return nil, fmt.Errorf("there are no nodes yet: create them first")
		}
		return read(crowd, line)
	}
}
