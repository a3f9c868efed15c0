#!/bin/sh
# One link on the 1,000 functions of a library, by a pattern; and on functions of the kernel where it has such links. ROUNDS=101 spec/bench/run multi
out=build/bench
i=0
while [ $i -lt 1000 ]; do
	echo "int many_$i(int x) { return x + $i; } int other_$i(int x) { return x - $i; }"
	i=$((i + 1))
done > $out/many.source
${CC:-cc} -shared -fPIC -o $out/libmany.so -x c $out/many.source || exit 1
exec $out/multi_bench build/spec/bpf/link_multi.bpf.o $out/libmany.so "${ROUNDS:-21}"
