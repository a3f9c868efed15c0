/* One program that reads kernel memory. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tracepoint")
int peek(void *ctx)
{
	unsigned long value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), ctx);
	return value != 0;
}

char LICENSE[] SEC("license") = "GPL";
