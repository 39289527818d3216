package main

import (
	"sync/atomic"
	"time"
)

// board keeps who sees whom and who was told to be down. All nodes write to it at once, without a lock.
//
// Times are nanoseconds since the board was made; 0 stands for never.
type board struct {
	made       time.Time
	nodes      int
	running    []atomic.Bool
	seen       []atomic.Bool // by observer * nodes + subject
	pairs      atomic.Int64  // how many of them are set
	mostAt     atomic.Int64  // when 99.9 % of all pairs saw each other for the first time
	allAt      atomic.Int64  // when all did
	falseDowns atomic.Int64  // reports by nodes that run about nodes that run
	deaths     atomic.Pointer[deaths]
}

// deaths are the reports about killed nodes: by killed node, nil for the others, and by observer the time of its first report.
type deaths [][]atomic.Int64

func newBoard(nodes int) *board {
	b := &board{made: time.Now(), nodes: nodes}
	b.running = make([]atomic.Bool, nodes)
	b.seen = make([]atomic.Bool, nodes*nodes)
	b.deaths.Store(&deaths{})
	for index := range b.running {
		b.running[index].Store(true)
	}
	return b
}

func (b *board) now() int64 { return int64(time.Since(b.made)) }

// of is the number of pairs of an observer and somebody else.
func (b *board) of() int64 { return int64(b.nodes) * int64(b.nodes-1) }

// most is 99.9 % of all pairs.
func (b *board) most() int64 { return b.of() - b.of()/1000 }

func (b *board) sees(observer, subject int) bool { return b.seen[observer*b.nodes+subject].Load() }

// up notes that a node sees another one.
func (b *board) up(observer, subject int) {
	if b.seen[observer*b.nodes+subject].Swap(true) {
		return
	}
	pairs := b.pairs.Add(1)
	if pairs == b.most() {
		b.mostAt.CompareAndSwap(0, b.now())
	}
	if pairs == b.of() {
		b.allAt.CompareAndSwap(0, b.now())
	}
}

// down notes that a node was told of another one's end. What a killed node's timers still say does not count.
func (b *board) down(observer, subject int) {
	if !b.running[observer].Load() {
		return
	}
	if b.seen[observer*b.nodes+subject].Swap(false) {
		b.pairs.Add(-1)
	}
	if reports := b.reports(subject); reports != nil {
		reports[observer].CompareAndSwap(0, b.now())
	} else {
		b.falseDowns.Add(1)
	}
}

// bury makes these nodes killed ones: from now on reports about them are true, and theirs are not heard.
func (b *board) bury(killed []int) {
	deaths := make(deaths, b.nodes)
	copy(deaths, *b.deaths.Load())
	for _, index := range killed {
		deaths[index] = make([]atomic.Int64, b.nodes)
	}
	b.deaths.Store(&deaths)
	for _, index := range killed {
		b.running[index].Store(false)
	}
}

// reports are the times at which each observer reported a killed node; nil for a node that runs.
func (b *board) reports(subject int) []atomic.Int64 {
	deaths := *b.deaths.Load()
	if len(deaths) == 0 {
		return nil
	}
	return deaths[subject]
}

// knows says whether an observer has reported a killed node, or had done so, falsely, before it was killed.
func (b *board) knows(observer, killed int) bool {
	return b.reports(killed)[observer].Load() != 0 || !b.sees(observer, killed)
}

// survivors are the nodes that run.
func (b *board) survivors() []int {
	var survivors []int
	for index := range b.running {
		if b.running[index].Load() {
			survivors = append(survivors, index)
		}
	}
	return survivors
}
