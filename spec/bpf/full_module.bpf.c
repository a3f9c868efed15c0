/* Programs on functions of a module, connection tracking; a lookup that calls them is in load_module.bpf.c. */
#include "bpf.h"

/* by the module's own types, which vmlinux has not */
struct nf_conntrack_tuple_hash { struct nf_conntrack_tuple { int unused; } tuple; } CORE;

u32 entered, left, probed, many;

SEC("?fentry/nf_conntrack_find_get") int enters(u64 *context)
{
	entered++;
	return 0;
}

SEC("?fexit/nf_conntrack:nf_conntrack_find_get") int leaves(u64 *context)
{
	left++;
	return 0;
}

SEC("?kprobe/nf_conntrack:nf_conntrack_find_get") int probes(struct pt_regs *context)
{
	probed++;
	return 0;
}

SEC("?kprobe.multi/nf_conntrack:nf_conntrack_find*") int all(struct pt_regs *context)
{
	many++;
	return 0;
}

SEC("?syscall") int size_of_hash(void *context)
{
	return (int)__builtin_preserve_type_info(*(struct nf_conntrack_tuple_hash *)0, 1);
}

char _license[] SEC("license") = "GPL";
