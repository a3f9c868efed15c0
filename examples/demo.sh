#!/bin/sh
# examples/demo.sh SECONDS : execsnoop on the running kernel, with a few processes started so that there is something to see at once.
# SECONDS = 0 runs until Ctrl-C.
cd "$(dirname "$0")/.." || exit 1
trap : INT # Ctrl-C ends the tracer, which then says what it saw
as_root=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "The demo traces the kernel, which needs root: run it as root, or install sudo." >&2
		exit 1
	fi
	as_root=sudo
fi
# The processes come a little later than the tracer, one every half second.
(
	sleep 1
	for command in "uname -s" "id -u" "date +%Y" "ls /sys/fs/bpf" "cat /proc/version" "true hello from the demo"; do
		sleep 0.5
		# shellcheck disable=SC2086
		env $command >/dev/null 2>&1
	done
) &
starter=$!
$as_root build/ebpf run examples/execsnoop.lua "${1:-10}"
status=$?
kill $starter 2>/dev/null
wait $starter 2>/dev/null
exit $status
