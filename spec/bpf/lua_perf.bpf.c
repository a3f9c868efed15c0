// SPDX-License-Identifier: MIT
// Programs that put records into perf buffers when they are run.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sample { // four fields, 16 bytes
	__u32 pid, cpu, kind, number;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} samples SEC(".maps");

__u32 wanted = 1;  // records of a run, at most 512
__u32 written = 0; // of all runs
__u32 refused = 0;
struct sample sample_for_types;

SEC("tc")
int fill(struct __sk_buff *skb)
{
	for (int i = 0; i < 512; i++) {
		if (i >= wanted)
			break;
		struct sample sample = { .pid = 1000 + i, .cpu = bpf_get_smp_processor_id(), .kind = i & 7, .number = written };

		if (bpf_perf_event_output(skb, &samples, BPF_F_CURRENT_CPU, &sample, sizeof(sample)))
			refused++;
		written++;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
