package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// flood counts what one command pours from node 0 to node 1.
type flood struct {
	number          byte
	sent, delivered atomic.Int64
}

func (f *flood) received(message []byte) {
	if message[1] == f.number {
		f.delivered.Add(1)
	}
}

type pourOrder struct {
	Mode    string  `json:"mode"`
	Senders int     `json:"senders"`
	Bytes   int     `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

type pourAnswer struct {
	Sent      int64   `json:"sent"`
	Delivered int64   `json:"delivered"`
	Seconds   float64 `json:"seconds"`
}

func (c *crowd) pour(order pourOrder) (any, error) {
	send, err := c.nodes[0].sender(order.Mode)
	if err != nil {
		return nil, err
	}
	if order.Bytes < pourHeader {
		return nil, fmt.Errorf("%d bytes: at least %d are needed", order.Bytes, pourHeader)
	}
	target, err := c.nodes[0].member(1)
	if err != nil {
		return nil, err
	}
	flood := new(flood)
	if before := c.flood.Load(); before != nil {
		flood.number = before.number + 1
	}
	message, err := newMessage(pourKind, flood.number, order.Bytes)
	if err != nil {
		return nil, err
	}
	c.flood.Store(flood)
	started := time.Now()
	end := started.Add(seconds(order.Seconds))
	var senders sync.WaitGroup
	for index := 0; index < order.Senders; index++ {
		senders.Add(1)
		go func() {
			defer senders.Done()
			for time.Now().Before(end) {
				if send(target, message) == nil {
					flood.sent.Add(1)
				}
			}
		}()
	}
	senders.Wait()
	took := time.Since(started)
	time.Sleep(500 * time.Millisecond)
	return pourAnswer{Sent: flood.sent.Load(), Delivered: flood.delivered.Load(), Seconds: took.Seconds()}, nil
}

func (n *node) sender(mode string) (func(*memberlist.Node, []byte) error, error) {
	switch mode {
	case "best_effort":
		return n.members.SendBestEffort, nil
	case "reliable":
		return n.members.SendReliable, nil
	}
	return nil, fmt.Errorf("%q is neither best_effort nor reliable", mode)
}
