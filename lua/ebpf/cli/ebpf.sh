#!/bin/sh
# The command inside a source tree: build/ebpf, wherever it is called from.
self=$(readlink -f "$0")
tree=${self%/*/*}
LUA_PATH="$tree/lua/?.lua;$tree/lua/?/init.lua;${LUA_PATH:-;}" LUA_CPATH="$tree/build/lua/?.so;${LUA_CPATH:-;}" \
	exec "${LUA:-lua5.4}" "$tree/lua/ebpf/cli/main.lua" "$@"
