package main

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/hashicorp/memberlist"
)

// privateState reads what memberlist believes about a node but does not tell: the State field of the Node that it hands out is never
// written. That Node is the first field of a private record which has the state and the incarnation; their offsets are looked up by
// name at the start, so that another version of memberlist is refused, not misread.
type privateState struct {
	stateOffset, incarnationOffset uintptr
}

func locatePrivateState() (privateState, error) {
	table, found := reflect.TypeOf(memberlist.Memberlist{}).FieldByName("nodes")
	if !found {
		return privateState{}, fmt.Errorf("this memberlist has no table of nodes")
	}
	record := table.Type.Elem().Elem()
	node, nodeFound := record.FieldByName("Node")
	state, stateFound := record.FieldByName("State")
	incarnation, incarnationFound := record.FieldByName("Incarnation")
	known := nodeFound && stateFound && incarnationFound && node.Offset == 0 &&
		node.Type == reflect.TypeOf(memberlist.Node{}) &&
		state.Type == reflect.TypeOf(memberlist.StateAlive) &&
		incarnation.Type.Kind() == reflect.Uint32
	if !known {
		return privateState{}, fmt.Errorf("this memberlist keeps its nodes as %v, which gopeer cannot read", record)
	}
	return privateState{stateOffset: state.Offset, incarnationOffset: incarnation.Offset}, nil
}

// state reads the state of a node from memberlist's table. The value may be a moment old: memberlist's lock is not held.
func (p privateState) state(node *memberlist.Node) memberlist.NodeStateType {
	return *(*memberlist.NodeStateType)(unsafe.Add(unsafe.Pointer(node), p.stateOffset))
}

// incarnation reads the incarnation of a node from memberlist's table, like state.
func (p privateState) incarnation(node *memberlist.Node) uint32 {
	return *(*uint32)(unsafe.Add(unsafe.Pointer(node), p.incarnationOffset))
}
