#!/bin/sh
# The kernel's types as C and raw, whole commands, beside bpftool: for C a ratio of 0.5 or less is what the project promises.
# ROUNDS=101 spec/bench/run btf
types=/sys/kernel/btf/vmlinux
command -v bpftool >/dev/null || { echo "btf: needs bpftool" >&2; exit 1; }
[ -r $types ] || { echo "btf: needs $types" >&2; exit 1; }
for format in c raw; do
	lua5.4 spec/bench/commands.lua "${ROUNDS:-15}" "ebpf btf dump --format $format" "build/ebpf btf dump --format $format $types" \
		"bpftool btf dump format $format" "bpftool btf dump file $types format $format" || exit 1
done
