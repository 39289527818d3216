package main

import (
	"fmt"
	"sync/atomic"

	"github.com/hashicorp/memberlist"
)

const port = 7946

func nameOf(index int) string { return fmt.Sprintf("node-%d", index) }

func addressOf(index int) string { return fmt.Sprintf("127.77.%d.%d", index/250, 1+index%250) }

// node is one memberlist node with its delegates. memberlist calls them under its own locks, so that none of them may wait.
type node struct {
	crowd   *crowd
	index   int
	members *memberlist.Memberlist
	queue   memberlist.TransmitLimitedQueue
	live    atomic.Int64 // members that it sees, itself included
}

func startNode(crowd *crowd, index int, equal bool) (*node, error) {
	config := lanConfig(equal)
	config.Name = nameOf(index)
	config.BindAddr, config.BindPort = addressOf(index), port
	config.AdvertiseAddr, config.AdvertisePort = addressOf(index), port
	n := &node{crowd: crowd, index: index}
	n.queue.RetransmitMult = config.RetransmitMult
	n.queue.NumNodes = func() int { return int(n.live.Load()) }
	config.Delegate, config.Events = n, n
	members, err := memberlist.Create(config)
	n.members = members
	return n, err
}

// member finds the entry of another node in this one's table.
func (n *node) member(index int) (*memberlist.Node, error) {
	for _, member := range n.members.Members() {
		if member.Name == nameOf(index) {
			return member, nil
		}
	}
	return nil, fmt.Errorf("%s does not see %s", nameOf(n.index), nameOf(index))
}

// NotifyJoin implements memberlist.EventDelegate.
func (n *node) NotifyJoin(member *memberlist.Node) {
	n.live.Add(1)
	if subject, known := n.crowd.names[member.Name]; known && subject != n.index {
		n.crowd.board.up(n.index, subject)
	}
}

// NotifyLeave implements memberlist.EventDelegate. It is called for deaths and for goodbyes; nobody says goodbye here.
func (n *node) NotifyLeave(member *memberlist.Node) {
	n.live.Add(-1)
	if subject, known := n.crowd.names[member.Name]; known && subject != n.index {
		n.crowd.board.down(n.index, subject)
	}
}

// NotifyUpdate implements memberlist.EventDelegate.
func (n *node) NotifyUpdate(*memberlist.Node) {}

// NotifyMsg implements memberlist.Delegate. What is broadcast goes on from whoever sees it for the first time, as in Serf.
func (n *node) NotifyMsg(message []byte) {
	switch kindOf(message) {
	case spreadKind:
		if spread := n.crowd.spread.Load(); spread != nil && spread.received(n.index, message) {
			n.queue.QueueBroadcast(rumour(append([]byte(nil), message...)))
		}
	case pourKind:
		if flood := n.crowd.flood.Load(); flood != nil {
			flood.received(message)
		}
	}
}

// GetBroadcasts implements memberlist.Delegate.
func (n *node) GetBroadcasts(overhead, limit int) [][]byte {
	return n.queue.GetBroadcasts(overhead, limit)
}

// NodeMeta implements memberlist.Delegate.
func (n *node) NodeMeta(int) []byte { return nil }

// LocalState implements memberlist.Delegate.
func (n *node) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (n *node) MergeRemoteState([]byte, bool) {}

// rumour is a message that is spread by gossip and replaces no other.
type rumour []byte

// Invalidates implements memberlist.Broadcast.
func (rumour) Invalidates(memberlist.Broadcast) bool { return false }

// Message implements memberlist.Broadcast.
func (r rumour) Message() []byte { return r }

// Finished implements memberlist.Broadcast.
func (rumour) Finished() {}

// UniqueBroadcast implements memberlist.UniqueBroadcast: the queue need not look for others that this one replaces.
func (rumour) UniqueBroadcast() {}
