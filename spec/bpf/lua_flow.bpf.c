// SPDX-License-Identifier: MIT
// One record of 16 bytes for each system call of one process.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "../../src/bpf/records.bpf.h"

struct sample {
	__u32 pid, cpu, kind, number;
};

EBPF_RECORDS(samples, 16 << 20, struct sample);

const volatile __u32 target = 0;
const volatile __u64 flags = BPF_RB_NO_WAKEUP;
__u32 written = 0;

SEC("raw_tracepoint/sys_enter")
int on_call(void *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	if (pid != target)
		return 0;
	struct sample *sample = EBPF_RESERVE(samples, sizeof(*sample));
	if (!sample)
		return 0;
	sample->pid = pid;
	sample->cpu = bpf_get_smp_processor_id();
	sample->kind = 7;
	sample->number = written++;
	bpf_ringbuf_submit(sample, flags);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
