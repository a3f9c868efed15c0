#!/bin/sh
# Maps from Lua, against libbpf's C API on the same map.
exec lua5.4 spec/bench/map_bench.lua
