#!/bin/sh
# Records of 16 bytes out of a perf buffer: libbpf's perf_buffer__consume and the core.
build/bench/perf_bench
