#!/bin/sh
# One link on the 1,000 functions of a library, by a pattern; and on functions of the kernel where it has such links. Beside the newest libbpf that Debian
# has (spec/corpus/fetch), else the system's, which must be 1.3 for the first. ROUNDS=101 spec/bench/run multi
out=build/bench
i=0
while [ $i -lt 1000 ]; do
	echo "int many_$i(int x) { return x + $i; } int other_$i(int x) { return x - $i; }"
	i=$((i + 1))
done > $out/many.source
${CC:-cc} -shared -fPIC -o $out/libmany.so -x c $out/many.source || exit 1
run=$out/multi_bench
if root=$(spec/corpus/fetch libbpf); then
	libraries=$(dirname "$(ls "$root"/usr/lib/*/libbpf.so.1)")
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -I"$root/usr/include" -Isrc -o $out/multi_newest spec/bench/multi_bench.c build/libebpf.a \
		"$libraries/libbpf.so" -lelf -lz -lmnl -Wl,--allow-shlib-undefined || exit 1
	run="$(ls "$libraries"/ld-linux*.so.* | head -n 1) --library-path $libraries:/usr/lib/$(${CC:-cc} -print-multiarch) $out/multi_newest"
	echo "libbpf $(cat "$root/version")"
else
	echo "multi: the newest libbpf could not be fetched: the system's is compared"
fi
# shellcheck disable=SC2086
exec $run build/spec/bpf/link_multi.bpf.o $out/libmany.so "${ROUNDS:-21}"
