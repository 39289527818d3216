package main

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// crowd is all nodes of this process. Commands are performed one after another.
type crowd struct {
	equal  bool
	nodes  []*node
	names  map[string]int
	board  *board
	spread atomic.Pointer[spread] // the latest broadcasts
	flood  atomic.Pointer[flood]  // the latest pour
}

func (c *crowd) hello(struct{}) (any, error) {
	return map[string]any{
		"system":   "memberlist-go",
		"version":  memberlistVersion,
		"settings": settings(lanConfig(c.equal)),
	}, nil
}

type createOrder struct {
	Nodes int  `json:"nodes"`
	Equal bool `json:"equal"`
}

func (c *crowd) create(order createOrder) (any, error) {
	if c.board != nil {
		return nil, fmt.Errorf("there are %d nodes already", len(c.nodes))
	}
	if order.Nodes < 2 || order.Nodes > 250*256 {
		return nil, fmt.Errorf("%d nodes: 2 to %d are possible", order.Nodes, 250*256)
	}
	c.equal, c.board, c.names = order.Equal, newBoard(order.Nodes), map[string]int{}
	for index := 0; index < order.Nodes; index++ {
		c.names[nameOf(index)] = index
	}
	for index := 0; index < order.Nodes; index++ {
		node, err := startNode(c, index, order.Equal)
		if err != nil {
			c.discard()
			return nil, fmt.Errorf("%s: %w", nameOf(index), err)
		}
		c.nodes = append(c.nodes, node)
	}
	return map[string]int{"nodes": len(c.nodes)}, nil
}

// discard ends the nodes of a crowd that could not be created whole.
func (c *crowd) discard() {
	for _, node := range c.nodes {
		node.members.Shutdown()
	}
	c.nodes, c.board = nil, nil
}

type joinOrder struct {
	PaceMs float64 `json:"pace_ms"`
	LimitS float64 `json:"limit_s"`
}

type joinAnswer struct {
	AllMs   *float64 `json:"all_ms"`
	MostMs  *float64 `json:"most_ms"`
	Seen    int64    `json:"seen"`
	Of      int64    `json:"of"`
	Refused int64    `json:"refused"`
}

func (c *crowd) join(order joinOrder) (any, error) {
	board := c.board
	board.mostAt.Store(0)
	board.allAt.Store(0)
	var joins sync.WaitGroup
	var refused atomic.Int64
	started := board.now()
	for _, node := range c.nodes[1:] {
		board.sleepUntil(started + int64(node.index-1)*int64(milliseconds(order.PaceMs)))
		joins.Add(1)
		go node.join(&joins, &refused)
	}
	waitFor(seconds(order.LimitS), func() bool { return board.allAt.Load() != 0 })
	joins.Wait()
	answer := joinAnswer{Seen: board.pairs.Load(), Of: board.of(), Refused: refused.Load()}
	answer.AllMs = sinceMs(started, board.allAt.Load())
	answer.MostMs = sinceMs(started, board.mostAt.Load())
	return answer, nil
}

// join makes a node join by node 0. memberlist gives up by itself after TCPTimeout for each step.
func (n *node) join(joins *sync.WaitGroup, refused *atomic.Int64) {
	defer joins.Done()
	if _, err := n.members.Join([]string{fmt.Sprintf("%s:%d", addressOf(0), port)}); err != nil {
		refused.Add(1)
	}
}

type restOrder struct {
	Seconds float64 `json:"seconds"`
}

func (c *crowd) rest(order restOrder) (any, error) {
	before := c.board.falseDowns.Load()
	c.board.sleepUntil(c.board.now() + int64(seconds(order.Seconds)))
	return map[string]int64{"false_downs": c.board.falseDowns.Load() - before}, nil
}

type killOrder struct {
	Nodes  []int   `json:"nodes"`
	LimitS float64 `json:"limit_s"`
}

type killAnswer struct {
	FirstMs    *float64   `json:"first_ms"`
	AllMs      *float64   `json:"all_ms"`
	EachMs     []*float64 `json:"each_ms"`
	FalseDowns int64      `json:"false_downs"`
}

func (c *crowd) kill(order killOrder) (any, error) {
	for _, index := range order.Nodes {
		if index < 0 || index >= len(c.nodes) || !c.board.running[index].Load() {
			return nil, fmt.Errorf("no node %d runs", index)
		}
	}
	before, started := c.board.falseDowns.Load(), c.board.now()
	c.board.bury(order.Nodes)
	var ends sync.WaitGroup
	for _, index := range order.Nodes {
		ends.Add(1)
		go c.nodes[index].end(&ends)
	}
	survivors := c.board.survivors()
	told := waitFor(seconds(order.LimitS), func() bool { return c.board.allKnow(survivors, order.Nodes) })
	ends.Wait()
	answer := c.board.summary(started, order.Nodes, told)
	answer.FalseDowns = c.board.falseDowns.Load() - before
	return answer, nil
}

// end closes a node's sockets and stops it, without a goodbye.
func (n *node) end(ends *sync.WaitGroup) {
	defer ends.Done()
	n.members.Shutdown()
}

func (b *board) allKnow(survivors, killed []int) bool {
	for _, observer := range survivors {
		for _, index := range killed {
			if !b.knows(observer, index) {
				return false
			}
		}
	}
	return true
}

// summary tells when the killed nodes were reported first; and last, if all survivors were `told`.
func (b *board) summary(started int64, killed []int, told bool) killAnswer {
	var first, last int64
	answer := killAnswer{EachMs: []*float64{}}
	for _, index := range killed {
		var firstOfIt int64
		for observer := range b.reports(index) {
			if at := b.reports(index)[observer].Load(); at != 0 {
				firstOfIt = earlier(firstOfIt, at)
				if at > last {
					last = at
				}
			}
		}
		answer.EachMs = append(answer.EachMs, sinceMs(started, firstOfIt))
		if firstOfIt != 0 {
			first = earlier(first, firstOfIt)
		}
	}
	answer.FirstMs = sinceMs(started, first)
	if told {
		answer.AllMs = sinceMs(started, last)
	}
	return answer
}
