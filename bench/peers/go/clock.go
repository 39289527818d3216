package main

import (
	"math"
	"sort"
	"time"
)

func seconds(value float64) time.Duration { return time.Duration(value * float64(time.Second)) }

func milliseconds(value float64) time.Duration {
	return time.Duration(value * float64(time.Millisecond))
}

// sleepUntil sleeps until a time of the board.
func (b *board) sleepUntil(at int64) { time.Sleep(time.Duration(at - b.now())) }

// waitFor asks until it is so, at most for as long as the limit, and says whether it was. What is measured has its own times, so
// that it may ask rarely.
func waitFor(limit time.Duration, isSo func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if isSo() {
			return true
		}
	}
	return isSo()
}

// sinceMs is the time from one to the other in milliseconds, to the microsecond; nil when the latter never came.
func sinceMs(started, at int64) *float64 {
	if at == 0 {
		return nil
	}
	ms := math.Round(float64(at-started)/1e3) / 1e3
	return &ms
}

// earlier is the earlier of two times, of which the first may be 0 for never.
func earlier(former, latter int64) int64 {
	if former == 0 || latter < former {
		return latter
	}
	return former
}

// percentileMs is the smallest of the times that so many per cent of them do not exceed; nil when there are none.
func percentileMs(times []int64, percent int) *float64 {
	if len(times) == 0 {
		return nil
	}
	sort.Slice(times, func(a, b int) bool { return times[a] < times[b] })
	rank := (len(times)*percent + 99) / 100
	return sinceMs(0, times[rank-1])
}
