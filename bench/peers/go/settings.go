package main

import (
	"io"

	"github.com/hashicorp/memberlist"
)

// lanConfig is memberlist's default for one network; `equal` turns off what other systems do not have.
func lanConfig(equal bool) *memberlist.Config {
	config := memberlist.DefaultLANConfig()
	if equal {
		config.EnableCompression = false
	}
	config.LogOutput = io.Discard
	return config
}

// settings tells the constants in use. Push/pull is rarer above 32 nodes than its interval says: memberlist scales it by
// ceil(log2(N) - log2(32)) + 1.
func settings(config *memberlist.Config) map[string]any {
	return map[string]any{
		"AwarenessMaxMultiplier":  config.AwarenessMaxMultiplier,
		"DisableTcpPings":         config.DisableTcpPings,
		"EnableCompression":       config.EnableCompression,
		"Encryption":              config.EncryptionEnabled(),
		"GossipInterval":          config.GossipInterval.String(),
		"GossipNodes":             config.GossipNodes,
		"GossipToTheDeadTime":     config.GossipToTheDeadTime.String(),
		"HandoffQueueDepth":       config.HandoffQueueDepth,
		"IndirectChecks":          config.IndirectChecks,
		"ProbeInterval":           config.ProbeInterval.String(),
		"ProbeTimeout":            config.ProbeTimeout.String(),
		"ProtocolVersion":         config.ProtocolVersion,
		"PushPullInterval":        config.PushPullInterval.String(),
		"RetransmitMult":          config.RetransmitMult,
		"SuspicionMaxTimeoutMult": config.SuspicionMaxTimeoutMult,
		"SuspicionMult":           config.SuspicionMult,
		"TCPTimeout":              config.TCPTimeout.String(),
		"UDPBufferSize":           config.UDPBufferSize,
	}
}
