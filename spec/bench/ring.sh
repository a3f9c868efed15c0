#!/bin/sh
# Records of 16 bytes out of a ring: a bare loop (the floor), libbpf's ring_buffer__consume, the core's callback, then Lua callbacks and sinks, and for comparison
# cilium/ebpf's ReadInto, which decodes nothing.
build/bench/ring_bench || exit 1
lua5.4 spec/bench/ring_bench.lua || exit 1
if [ -d /usr/share/gocode/src/github.com/cilium/ebpf ] && command -v go >/dev/null; then
	GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=${GOCACHE:-$PWD/build/bench/go} GOFLAGS=-buildvcs=false \
		go build -o build/bench/ring_cilium spec/bench/ring_cilium.go && build/bench/ring_cilium
else
	echo "cilium/ebpf: not installed (.ci/packages bench)"
fi
