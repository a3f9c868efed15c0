#!/bin/sh
# `ebpf features --json` beside `bpftool -j feature probe`, which finds out much the same. The goal is half. ROUNDS=101 spec/bench/run features
command -v bpftool >/dev/null || { echo "features: needs bpftool" >&2; exit 1; }
exec lua5.4 spec/bench/commands.lua "${ROUNDS:-15}" "ebpf features" "build/ebpf features --json" "bpftool feature probe" "bpftool -j feature probe"
