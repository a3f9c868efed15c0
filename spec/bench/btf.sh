#!/bin/sh
# The kernel's types as C and raw, whole commands, against bpftool (in the column of libbpf): for C a ratio of 0.5 or less is what the
# project promises. ROUNDS=101 spec/bench/run btf
types=/sys/kernel/btf/vmlinux
bpftool=$(command -v bpftool) || { echo "btf: needs bpftool" >&2; exit 1; }
[ -r $types ] || { echo "btf: needs $types" >&2; exit 1; }
out=build/bench
for format in c raw; do
	# Scripts, since the yardstick starts programs with one argument: both pay for the shell.
	printf '#!/bin/sh\nexec build/ebpf btf dump --format %s "$1" >/dev/null\n' $format > $out/dump_ebpf
	printf '#!/bin/sh\nexec %s btf dump file "$1" format %s >/dev/null\n' "$bpftool" $format > $out/dump_bpftool
	chmod 755 $out/dump_ebpf $out/dump_bpftool
	echo "format $format"
	$out/load_compare "${ROUNDS:-31}" $out/dump_ebpf $out/dump_bpftool $types || exit 1
done
