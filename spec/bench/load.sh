#!/bin/sh
# Load and unload of CO-RE objects, whole processes, against libbpf: the system's, and the newest that Debian has (spec/corpus/fetch) with the largest
# objects that its libbpf-tools carry. The project promises: wall 1.0 or less; above bpf(2) 0.5 or less for a large object; 8 MiB with Lua.
# ROUNDS=101 spec/bench/run load
rounds=${ROUNDS:-31}
out=build/bench
build/bench/load_compare "$rounds" build/bench/load_ebpf build/bench/load_libbpf \
	build/spec/bpf/load_tiny.bpf.o build/spec/bpf/load_types.bpf.o build/spec/bpf/load_many.bpf.o || exit 1

if ! root=$(spec/corpus/fetch libbpf) || ! tools=$(spec/corpus/fetch libbpf-tools); then
	echo "load: the newest libbpf and its objects could not be fetched: only the system's was compared"
	exit 0
fi
libraries=$(dirname "$(ls "$root"/usr/lib/*/libbpf.so.1)")
${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -I"$root/usr/include" -o $out/load_newest spec/bench/load_libbpf.c "$libraries/libbpf.so" \
	-Wl,--allow-shlib-undefined || exit 1
newest=$(ls -d "$tools"/*/ | sort -V | tail -n 1)
mkdir -p $out/objects
lua5.4 spec/corpus/extract.lua $out/objects "$newest"/usr/sbin/*tcptracer* "$newest"/usr/sbin/*opensnoop* "$newest"/usr/sbin/*mountsnoop* || exit 1
echo "libbpf $(cat "$root/version"), objects of libbpf-tools $(basename "$newest")"
build/bench/load_compare "$rounds" build/bench/load_ebpf "$(ls "$libraries"/ld-linux*.so.* | head -n 1) --library-path $libraries $out/load_newest" \
	$out/objects/*.o build/spec/bpf/load_many.bpf.o
