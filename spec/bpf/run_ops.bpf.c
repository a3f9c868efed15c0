/* Functions of the kernel's own table for tests: a program that BPF_PROG_RUN calls through it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_dummy_ops_state {
	int val;
} __attribute__((preserve_access_index));
struct bpf_dummy_ops {
	int (*test_1)(struct bpf_dummy_ops_state *cb);
	int (*test_2)(struct bpf_dummy_ops_state *cb, int a1, unsigned short a2, char a3, unsigned long a4);
};

SEC("struct_ops/test_1")
int first(__u64 *ctx)
{
	struct bpf_dummy_ops_state *state = (void *)ctx[0];

	return state ? state->val : 1234;
}

SEC(".struct_ops")
struct bpf_dummy_ops dummy = {
	.test_1 = (void *)first,
};

char LICENSE[] SEC("license") = "GPL";
