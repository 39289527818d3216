package main

import (
	"encoding/hex"
	"time"

	"github.com/hashicorp/memberlist"
)

// NodeMeta implements memberlist.Delegate. The meta is not cut to the limit, so that memberlist's own check is seen.
func (p *peer) NodeMeta(int) []byte {
	p.metaLock.Lock()
	defer p.metaLock.Unlock()
	return p.meta
}

// NotifyMsg implements memberlist.Delegate.
func (p *peer) NotifyMsg(message []byte) {
	p.out.event("message", object{"text": string(message), "hex": hex.EncodeToString(message)})
}

// GetBroadcasts implements memberlist.Delegate.
func (p *peer) GetBroadcasts(overhead, limit int) [][]byte {
	return p.queue.GetBroadcasts(overhead, limit)
}

// LocalState implements memberlist.Delegate.
func (p *peer) LocalState(bool) []byte {
	return []byte(p.options.state)
}

// MergeRemoteState implements memberlist.Delegate.
func (p *peer) MergeRemoteState(state []byte, join bool) {
	p.out.event("remote-state", object{"text": string(state), "hex": hex.EncodeToString(state), "join": join})
}

// NotifyJoin implements memberlist.EventDelegate.
func (p *peer) NotifyJoin(node *memberlist.Node) {
	p.live.Add(1)
	p.notify("join", node)
}

// NotifyLeave implements memberlist.EventDelegate.
func (p *peer) NotifyLeave(node *memberlist.Node) {
	p.live.Add(-1)
	p.notify("leave", node)
}

// NotifyUpdate implements memberlist.EventDelegate.
func (p *peer) NotifyUpdate(node *memberlist.Node) {
	p.notify("update", node)
}

func (p *peer) notify(kind string, node *memberlist.Node) {
	p.out.event(kind, p.describe(node))
}

// NotifyConflict implements memberlist.ConflictDelegate. The other node is not from memberlist's table, so its state is not shown.
func (p *peer) NotifyConflict(existing, other *memberlist.Node) {
	p.out.event("conflict", object{
		"name": existing.Name, "existing": existing.Address(), "other": other.Address(),
		"existing_meta": hex.EncodeToString(existing.Meta), "other_meta": hex.EncodeToString(other.Meta),
	})
}

// AckPayload implements memberlist.PingDelegate.
func (p *peer) AckPayload() []byte {
	return []byte(p.options.ack)
}

// NotifyPingComplete implements memberlist.PingDelegate.
func (p *peer) NotifyPingComplete(other *memberlist.Node, rtt time.Duration, payload []byte) {
	p.out.event("ping-complete", object{"name": other.Name, "rtt_us": rtt.Microseconds(), "payload": string(payload)})
}

// broadcast is a user message that is spread by gossip and replaces no other.
type broadcast string

// Invalidates implements memberlist.Broadcast.
func (broadcast) Invalidates(memberlist.Broadcast) bool { return false }

// Message implements memberlist.Broadcast.
func (b broadcast) Message() []byte { return []byte(b) }

// Finished implements memberlist.Broadcast.
func (broadcast) Finished() {}
