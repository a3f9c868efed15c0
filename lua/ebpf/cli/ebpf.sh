#!/bin/sh
# The command inside a source tree: build/ebpf, wherever it is called from.
self=$0
while [ -L "$self" ]; do self=$(readlink -f "$self"); done # a process of its own, only where it is needed
case $self in */*) ;; *) self=./$self ;; esac
tree=$(cd "${self%/*}/.." && pwd -P)
LUA_PATH="$tree/lua/?.lua;$tree/lua/?/init.lua;${LUA_PATH:-;}" LUA_CPATH="$tree/build/lua/?.so;${LUA_CPATH:-;}" \
	exec "${LUA:-lua5.4}" "$tree/lua/ebpf/cli/main.lua" "$@"
