package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync/atomic"
)

// Messages start with their kind and the number of the command that they are of. Broadcasts go on with their own number.
const (
	spreadKind   = 's'
	pourKind     = 'p'
	pourHeader   = 2
	spreadHeader = 6
)

func kindOf(message []byte) byte {
	if len(message) < pourHeader {
		return 0
	}
	return message[0]
}

// newMessage is so many bytes that cannot be compressed, but for the first two.
func newMessage(kind, number byte, size int) ([]byte, error) {
	message := make([]byte, size)
	if _, err := rand.Read(message); err != nil {
		return nil, err
	}
	message[0], message[1] = kind, number
	return message, nil
}

// spread keeps which node has which of the messages of one command. Node 0 has those that it has sent.
type spread struct {
	board   *board
	number  byte
	count   int
	gotAt   []atomic.Int64 // by node * count + message, in the board's time
	missing atomic.Int64   // pairs of a message and a node that runs and does not have it
}

func newSpread(board *board, number byte, count int) *spread {
	s := &spread{board: board, number: number, count: count, gotAt: make([]atomic.Int64, board.nodes*count)}
	s.missing.Store(int64(count * len(board.survivors())))
	return s
}

// received notes a message, and says whether the node sees it for the first time.
func (s *spread) received(node int, message []byte) bool {
	if len(message) < spreadHeader || message[1] != s.number || !s.board.running[node].Load() {
		return false
	}
	place := node*s.count + int(binary.BigEndian.Uint32(message[2:]))
	if s.gotAt[place].Load() != 0 || !s.gotAt[place].CompareAndSwap(0, s.board.now()) {
		return false
	}
	s.missing.Add(-1)
	return true
}

type broadcastOrder struct {
	Count     int     `json:"count"`
	PerSecond float64 `json:"per_second"`
	Bytes     int     `json:"bytes"`
	LimitS    float64 `json:"limit_s"`
}

type broadcastAnswer struct {
	AllP50Ms  *float64 `json:"all_p50_ms"`
	AllP99Ms  *float64 `json:"all_p99_ms"`
	EachP50Ms *float64 `json:"each_p50_ms"`
	EachP99Ms *float64 `json:"each_p99_ms"`
	Lost      int      `json:"lost"`
	Of        int      `json:"of"`
	Whole     int      `json:"whole"`
}

func (c *crowd) broadcast(order broadcastOrder) (any, error) {
	if order.Bytes < spreadHeader || order.PerSecond <= 0 || !c.board.running[0].Load() {
		return nil, fmt.Errorf("%d bytes %f times per second: at least %d bytes are needed, and node 0", order.Bytes, order.PerSecond, spreadHeader)
	}
	number := byte(0)
	if before := c.spread.Load(); before != nil {
		number = before.number + 1
	}
	spread := newSpread(c.board, number, order.Count)
	c.spread.Store(spread)
	started := c.board.now()
	for index := 0; index < order.Count; index++ {
		c.board.sleepUntil(started + int64(seconds(float64(index)/order.PerSecond)))
		message, err := newMessage(spreadKind, number, order.Bytes)
		if err != nil {
			return nil, err
		}
		binary.BigEndian.PutUint32(message[2:], uint32(index))
		spread.received(0, message)
		c.nodes[0].queue.QueueBroadcast(rumour(message))
	}
	waitFor(seconds(order.LimitS), func() bool { return spread.missing.Load() == 0 })
	return spread.summary(c.board.survivors()[1:]), nil
}

// summary is over all nodes that run but node 0.
func (s *spread) summary(receivers []int) broadcastAnswer {
	answer := broadcastAnswer{Of: s.count * len(receivers)}
	var each, all []int64
	for message := 0; message < s.count; message++ {
		sent, slowest, receipts := s.gotAt[message].Load(), int64(0), 0
		for _, node := range receivers {
			got := s.gotAt[node*s.count+message].Load()
			if got == 0 {
				answer.Lost++
				continue
			}
			each = append(each, got-sent)
			receipts++
			if got-sent > slowest {
				slowest = got - sent
			}
		}
		if receipts == len(receivers) {
			all = append(all, slowest)
		}
	}
	answer.Whole = len(all)
	answer.AllP50Ms, answer.AllP99Ms = percentileMs(all, 50), percentileMs(all, 99)
	answer.EachP50Ms, answer.EachP99Ms = percentileMs(each, 50), percentileMs(each, 99)
	return answer
}
