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

# Both others compile first, for as long as they like: the producer is stopped until they have attached.
ticks() { cut -d' ' -f14,15 "/proc/$1/stat" | awk -v hz="$(getconf CLK_TCK)" '{printf "%.0f", ($1 + $2) * 1e9 / hz}'; } # CPU time of a process, ns

if command -v bpftrace >/dev/null; then
	$out/flow_producer "$seconds" > $out/produced &
	producer=$!
	while [ ! -s $out/produced ]; do sleep 0.01; done
	kill -STOP $producer
	# It reads the tracepoint's number in tracefs, which need not be mounted: here it is, for it alone.
	unshare -m sh -c '[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing; exec taskset -c 1 bpftrace -e "$1"' sh \
		"BEGIN { printf(\"ready\\n\"); } tracepoint:raw_syscalls:sys_enter /pid == $producer/ { printf(\"%d %d\\n\", pid, cpu); }" \
		> $out/bpftrace.out 2> $out/bpftrace.err &
	peer=$!
	# What it prints is buffered where it is no terminal: that it attaches is seen by what it holds.
	for _ in $(seq 300); do
		kill -0 $peer 2>/dev/null && ! ls -l /proc/$peer/fd 2>/dev/null | grep -q 'perf_event' && sleep 0.1
	done
	sleep 1
	before=$(ticks $peer 2>/dev/null)
	kill -CONT $producer
	wait $producer
	sleep 1
	spent=$(($(ticks $peer 2>/dev/null || echo 0) - ${before:-0}))
	kill -INT $peer 2>/dev/null
	wait $peer
	got=$(grep -c "^$producer " $out/bpftrace.out)
	made=$(tail -n 1 $out/produced | cut -d' ' -f1)
	[ "$got" -gt 0 ] && say "bpftrace, printf" "$got $((made > got ? made - got : 0)) $((spent / got))" "$ns" ||
		echo "bpftrace: $(grep ERROR $out/bpftrace.err | tail -n 1)"
else
	echo "bpftrace: not installed (.ci/packages bench)"
fi
if ! /usr/bin/python3 -c 'import bcc' 2>/dev/null; then
	echo "bcc: not installed (.ci/packages bench)"
else
	# It compiles against headers of the kernel; of what is traced here they may be another's.
	[ -e "/lib/modules/$(uname -r)/build" ] || export BCC_KERNEL_SOURCE="$(spec/corpus/fetch headers)"
	/usr/bin/python3 spec/bench/flow_bcc.py "$seconds" > $out/bcc.out 2> $out/bcc.err && say "bcc, open_ring_buffer" "$(tail -n 1 $out/bcc.out)" "$ns" ||
		echo "bcc: $(grep -m 1 -iE 'error|unable|failed|headers' $out/bcc.err || tail -n 1 $out/bcc.err)"
fi
