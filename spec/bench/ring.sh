#!/bin/sh
# Records of 16 bytes out of a ring: a bare loop (the floor), libbpf's ring_buffer__consume, the core's callback, then Lua callbacks.
build/bench/ring_bench || exit 1
lua5.4 spec/bench/ring_bench.lua
