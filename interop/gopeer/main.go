// Gopeer is one bare memberlist node that a test drives over pipes.
//
// Every line on stdout is one JSON object: an event ("event": ...) or the answer to a command ("reply": ...). Every line on stdin is
// one command and gets one answer, which carries the command's number ("seq", counted from 1). memberlist's own log goes to stderr.
// The program ends when stdin ends, without leaving the cluster.
//
// Commands:
//
//	join ADDR            contact ADDR (host:port) and exchange state with it
//	members              the members that memberlist knows, without those dead or left
//	meta HEX             replace the node's meta and tell the cluster
//	send NAME TEXT       send a user message in a packet
//	sendrel NAME TEXT    send a user message on a stream
//	broadcast TEXT       spread a user message by gossip
//	ping NAME            probe a member once, outside the schedule
//	health               memberlist's health score, 0 is healthy
//	leave                leave the cluster, then end
//	shutdown             end without leaving
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	leaveTimeout  = 5 * time.Second
	updateTimeout = 5 * time.Second
)

type options struct {
	name, bind, profile, label, key, meta, state, ack string
	port, delegateMin, delegateMax, delegateCurrent   int
	compress                                          bool
}

func main() {
	node, err := start(parseOptions())
	if err != nil {
		fmt.Fprintln(os.Stderr, "gopeer:", err)
		os.Exit(1)
	}
	node.serve()
}

func parseOptions() options {
	var o options
	flag.StringVar(&o.name, "name", "gopeer", "name of the node")
	flag.StringVar(&o.bind, "bind", "127.0.0.1", "IP address to listen on")
	flag.IntVar(&o.port, "port", 7946, "port to listen on, for packets and streams")
	flag.StringVar(&o.profile, "profile", "lan", "timing: lan, wan or local")
	flag.StringVar(&o.label, "label", "", "label of the cluster")
	flag.StringVar(&o.key, "key", "", "encryption key, base64 of 16, 24 or 32 bytes")
	flag.BoolVar(&o.compress, "compress", true, "compress what is sent")
	flag.IntVar(&o.delegateMin, "dmin", 0, "lowest delegate protocol version understood")
	flag.IntVar(&o.delegateMax, "dmax", 0, "highest delegate protocol version understood")
	flag.IntVar(&o.delegateCurrent, "dcur", 0, "delegate protocol version spoken")
	flag.StringVar(&o.meta, "meta", "", "meta of the node, in hex")
	flag.StringVar(&o.state, "state", "", "user state for push/pull; none when empty")
	flag.StringVar(&o.ack, "ack", "", "payload of acks; no ping delegate when empty")
	flag.Parse()
	return o
}

// peer is the node with what its delegates need.
type peer struct {
	options options
	out     *lines
	members *memberlist.Memberlist
	queue   *memberlist.TransmitLimitedQueue
	private privateState
	live    atomic.Int64 // members that joined and have not left, the node itself included

	metaLock sync.Mutex
	meta     []byte
}

func start(o options) (*peer, error) {
	private, err := locatePrivateState()
	if err != nil {
		return nil, err
	}
	p := &peer{options: o, out: newLines(os.Stdout), private: private}
	if p.meta, err = hex.DecodeString(o.meta); err != nil {
		return nil, fmt.Errorf("-meta: %w", err)
	}
	config, err := p.config()
	if err != nil {
		return nil, err
	}
	// The queue is asked for broadcasts before Create returns, so it cannot count by p.members.
	p.queue = &memberlist.TransmitLimitedQueue{RetransmitMult: config.RetransmitMult, NumNodes: p.liveMembers}
	if p.members, err = memberlist.Create(config); err != nil {
		return nil, err
	}
	self := p.members.LocalNode()
	p.out.event("ready", object{"name": self.Name, "addr": self.Addr.String(), "port": self.Port})
	return p, nil
}

func (p *peer) config() (*memberlist.Config, error) {
	o := p.options
	config, err := profile(o.profile)
	if err != nil {
		return nil, err
	}
	config.Name = o.name
	config.BindAddr, config.BindPort = o.bind, o.port
	config.AdvertiseAddr, config.AdvertisePort = o.bind, o.port
	config.Label = o.label
	config.EnableCompression = o.compress
	config.DelegateProtocolMin = uint8(o.delegateMin)
	config.DelegateProtocolMax = uint8(o.delegateMax)
	config.DelegateProtocolVersion = uint8(o.delegateCurrent)
	if o.key != "" {
		if config.SecretKey, err = base64.StdEncoding.DecodeString(o.key); err != nil {
			return nil, fmt.Errorf("-key: %w", err)
		}
	}
	config.Delegate, config.Events, config.Conflict = p, p, p
	if o.ack != "" {
		config.Ping = p
	}
	return config, nil
}

func profile(name string) (*memberlist.Config, error) {
	switch name {
	case "lan":
		return memberlist.DefaultLANConfig(), nil
	case "wan":
		return memberlist.DefaultWANConfig(), nil
	case "local":
		return memberlist.DefaultLocalConfig(), nil
	}
	return nil, fmt.Errorf("-profile: %q is none of lan, wan, local", name)
}

// serve answers commands until stdin ends.
func (p *peer) serve() {
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<20)
	for seq := 1; input.Scan(); seq++ {
		verb, rest, _ := strings.Cut(input.Text(), " ")
		answer, err := p.perform(verb, rest)
		if answer == nil {
			answer = object{}
		}
		answer["reply"], answer["seq"], answer["ok"] = verb, seq, err == nil
		if err != nil {
			answer["error"] = err.Error()
		}
		p.out.write(answer)
		if verb == "leave" || verb == "shutdown" {
			os.Exit(0)
		}
	}
	p.members.Shutdown()
}

func (p *peer) perform(verb, rest string) (object, error) {
	switch verb {
	case "join":
		contacted, err := p.members.Join([]string{rest})
		return object{"contacted": contacted}, err
	case "members":
		return p.list(), nil
	case "meta":
		return nil, p.setMeta(rest)
	case "send":
		return nil, p.send(rest, p.members.SendBestEffort)
	case "sendrel":
		return nil, p.send(rest, p.members.SendReliable)
	case "broadcast":
		p.queue.QueueBroadcast(broadcast(rest))
		return nil, nil
	case "ping":
		return p.ping(rest)
	case "health":
		return object{"score": p.members.GetHealthScore()}, nil
	case "leave":
		return nil, errors.Join(p.members.Leave(leaveTimeout), p.members.Shutdown())
	case "shutdown":
		return nil, p.members.Shutdown()
	}
	return nil, fmt.Errorf("unknown command %q", verb)
}

func (p *peer) list() object {
	list := []object{}
	for _, node := range p.members.Members() {
		list = append(list, p.describe(node))
	}
	return object{"members": list}
}

func (p *peer) setMeta(text string) error {
	meta, err := hex.DecodeString(text)
	if err != nil {
		return err
	}
	p.metaLock.Lock()
	p.meta = meta
	p.metaLock.Unlock()
	return p.members.UpdateNode(updateTimeout)
}

func (p *peer) send(rest string, by func(*memberlist.Node, []byte) error) error {
	name, text, found := strings.Cut(rest, " ")
	if !found {
		return errors.New("a name and a text are needed")
	}
	node, err := p.find(name)
	if err != nil {
		return err
	}
	return by(node, []byte(text))
}

func (p *peer) ping(name string) (object, error) {
	node, err := p.find(name)
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort(node.Addr.String(), strconv.Itoa(int(node.Port)))
	target, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	rtt, err := p.members.Ping(name, target)
	return object{"rtt_us": rtt.Microseconds()}, err
}

func (p *peer) liveMembers() int { return int(p.live.Load()) }

func (p *peer) find(name string) (*memberlist.Node, error) {
	for _, node := range p.members.Members() {
		if node.Name == name {
			return node, nil
		}
	}
	return nil, fmt.Errorf("no member is named %q", name)
}

func (p *peer) describe(node *memberlist.Node) object {
	state := p.private.state(node)
	return object{
		"name": node.Name, "addr": node.Addr.String(), "port": node.Port, "meta": hex.EncodeToString(node.Meta),
		"state": stateName(state), "state_number": int(state), "incarnation": p.private.incarnation(node),
		"pmin": node.PMin, "pmax": node.PMax, "pcur": node.PCur,
		"dmin": node.DMin, "dmax": node.DMax, "dcur": node.DCur,
	}
}

func stateName(state memberlist.NodeStateType) string {
	names := []string{"alive", "suspect", "dead", "left"}
	if int(state) < len(names) {
		return names[state]
	}
	return "unknown"
}

type object map[string]any

// lines writes JSON objects, each whole and on a line of its own.
type lines struct {
	lock    sync.Mutex
	encoder *json.Encoder
}

func newLines(file *os.File) *lines {
	return &lines{encoder: json.NewEncoder(file)}
}

func (l *lines) event(kind string, fields object) {
	fields["event"] = kind
	l.write(fields)
}

func (l *lines) write(value object) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if err := l.encoder.Encode(value); err != nil {
		fmt.Fprintln(os.Stderr, "gopeer: stdout:", err)
		os.Exit(1)
	}
}
