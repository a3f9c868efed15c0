#!/bin/sh
# Load and unload of CO-RE objects, whole processes, against libbpf: a ratio of 1.0 or less is what the project promises.
# ROUNDS=101 spec/bench/run load
exec build/bench/load_compare "${ROUNDS:-31}" build/bench/load_ebpf build/bench/load_libbpf \
	build/spec/bpf/load_tiny.bpf.o build/spec/bpf/load_types.bpf.o build/spec/bpf/load_many.bpf.o
