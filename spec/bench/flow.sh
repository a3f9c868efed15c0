#!/bin/sh
# A getppid loop on CPU 0, a record of 16 bytes for each call, the consumer on CPU 1: rate of the producer, losses, and what a record costs the consumer. Without
# wake-ups, drained every 200 us: C with libbpf, then ours, medians of FLOW_ROUNDS; and, each at its own defaults, bpftrace and bcc. Whoever is not installed is
# left out, and says so.
seconds=${FLOW_SECONDS:-2}
rounds=${FLOW_ROUNDS:-3}
out=build/bench
rm -f $out/flow.*.[0-9]*
[ "$(nproc)" -ge 2 ] || { echo "needs two CPUs"; exit 0; }
object=build/spec/bpf/lua_flow.bpf.o
make -s $object || exit 1

say() { # NAME "RECORDS LOST NS [MADE SECONDS]" [NS OF THE PEER]
	echo "$2" | awk -v name="$1" -v seconds="$seconds" -v base="$3" '{made = $4 ? $4 : $1; time = $5 ? $5 : seconds
		printf "%-34s %6.2f M/s %5.1f %% lost %8.1f ns %s\n", name, made / time / 1e6, 100 * $2 / ($1 + $2 + 1e-9), $3, base ? sprintf("%.2f x", $3 / base) : ""}'
}
middle() { sort -n -k 3,3 | sed -n "$(((rounds + 1) / 2))p"; } # of lines as above, by ns

for round in $(seq "$rounds"); do # in turns, so that what else the machine does falls on all alike
	for way in late drained sink fields view table; do
		case $way in
		late) $out/flow_libbpf $object 0.15 late ;;
		drained) $out/flow_libbpf $object "$seconds" ;;
		*) taskset -c 1 lua5.4 spec/bench/flow.lua $object "$seconds" $way ;;
		esac > $out/flow.$way.$round 2> $out/flow.err || { echo "$way does not run: $(tail -n 1 $out/flow.err)"; exit 1; }
	done
done
of() { cat $out/flow."$1".* | middle; }
say "nobody reads: the producer's limit" "$(of late)"
base=$(of drained)
say "C, libbpf" "$base"
ns=$(echo "$base" | cut -d' ' -f3)
for way in sink fields view table; do say "Lua, $way" "$(of $way)" "$ns"; done

if command -v bpftrace >/dev/null; then
	$out/flow_producer "$seconds" 4000000 > $out/produced & # bpftrace takes seconds to begin
	sleep 0.3
	pid=$(head -n 1 $out/produced)
	taskset -c 1 timeout -s INT $((seconds + 5)) bpftrace -e "tracepoint:raw_syscalls:sys_enter /pid == $pid/ { printf(\"%d %d\\n\", pid, cpu); }" \
		> $out/bpftrace.out 2> $out/bpftrace.err
	wait
	got=$(awk 'NR > 1 && NF == 2' $out/bpftrace.out | wc -l)
	made=$(tail -n 1 $out/produced | cut -d' ' -f1)
	[ "$got" -gt 0 ] && say "bpftrace, printf" "$got $((made > got ? made - got : 0)) 0" || echo "bpftrace: $(grep ERROR $out/bpftrace.err | tail -n 1)"
else
	echo "bpftrace: not installed (.ci/packages bench)"
fi
if ! python3 -c 'import bcc' 2>/dev/null && ! /usr/bin/python3 -c 'import bcc' 2>/dev/null; then
	echo "bcc: not installed (.ci/packages bench)"
else
	/usr/bin/python3 spec/bench/flow_bcc.py "$seconds" > $out/bcc.out 2> $out/bcc.err && say "bcc, open_ring_buffer" "$(tail -n 1 $out/bcc.out)" ||
		echo "bcc: $(grep -m 1 -iE 'error|unable|failed|headers' $out/bcc.err || tail -n 1 $out/bcc.err)"
fi
