/* context.c -- parameters that are tagged as the program's context (__arg_ctx), for kernels that do not know the tag (before 6.8).
 *
 * Global functions are verified by themselves, from their types alone. Older kernels believe that a parameter is the context when
 * its type is a pointer to the struct that the context of such a program is; so the function gets a type of its own for each type of
 * program that calls it. It may be declared with any pointer in the source.
 */
#include <stdlib.h>

#include "load/load.h"

/* The kernel's name of the context, by type of program; NULL where it has none. */
static const char *context_name(uint32_t program_type)
{
	switch (program_type) {
	case BPF_PROG_TYPE_SOCKET_FILTER:
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
	case BPF_PROG_TYPE_CGROUP_SKB:
	case BPF_PROG_TYPE_LWT_IN:
	case BPF_PROG_TYPE_LWT_OUT:
	case BPF_PROG_TYPE_LWT_XMIT:
	case BPF_PROG_TYPE_LWT_SEG6LOCAL:
	case BPF_PROG_TYPE_SK_SKB:
	case BPF_PROG_TYPE_FLOW_DISSECTOR:
		return "__sk_buff";
	case BPF_PROG_TYPE_KPROBE: return "bpf_user_pt_regs_t";
	case BPF_PROG_TYPE_PERF_EVENT: return "bpf_perf_event_data";
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
		return "bpf_raw_tracepoint_args";
	case BPF_PROG_TYPE_XDP: return "xdp_md";
	case BPF_PROG_TYPE_CGROUP_DEVICE: return "bpf_cgroup_dev_ctx";
	case BPF_PROG_TYPE_CGROUP_SOCK: return "bpf_sock";
	case BPF_PROG_TYPE_CGROUP_SOCK_ADDR: return "bpf_sock_addr";
	case BPF_PROG_TYPE_CGROUP_SOCKOPT: return "bpf_sockopt";
	case BPF_PROG_TYPE_CGROUP_SYSCTL: return "bpf_sysctl";
	case BPF_PROG_TYPE_SOCK_OPS: return "bpf_sock_ops";
	case BPF_PROG_TYPE_SK_MSG: return "sk_msg_md";
	case BPF_PROG_TYPE_SK_REUSEPORT: return "sk_reuseport_md";
	case BPF_PROG_TYPE_SK_LOOKUP: return "bpf_sk_lookup";
	case BPF_PROG_TYPE_NETFILTER: return "bpf_nf_ctx";
	default: return NULL;
	}
}

/* The function once more, its tagged parameters pointing to the context. */
static int64_t add_variant(struct ebpf_load *load, const struct ebpf_function *function, const char *name, struct ebpf_error *err)
{
	const struct ebpf_btf *btf = load->spec->btf;
	struct ebpf_type func, proto;
	struct ebpf_param *params;
	int64_t type = 0, pointer = ebpf_btf_builder_add_pointer(load->builder, name);

	if (pointer < 0)
		return pointer;
	if (!ebpf_btf_type(btf, function->type_id, &func) || !ebpf_btf_type(btf, func.type, &proto) || proto.kind != BTF_KIND_FUNC_PROTO)
		return ebpf_fail(err, EINVAL, "it has no prototype");
	params = calloc(proto.vlen + 1, sizeof(*params));
	if (!params)
		return ebpf_fail_memory(err);
	for (uint32_t i = 0; i < proto.vlen && type >= 0; i++) {
		params[i] = ebpf_type_param(&proto, i);
		if (i < 32 && function->context_params & 1U << i)
			type = pointer;
		else
			type = params[i].type ? ebpf_btf_builder_add(load->builder, btf, params[i].type, err) : 0;
		params[i].type = (uint32_t)type;
	}
	if (type >= 0)
		type = proto.type ? ebpf_btf_builder_add(load->builder, btf, proto.type, err) : 0;
	if (type >= 0)
		type = ebpf_btf_builder_add_func(load->builder, func.name, (uint32_t)type, params, proto.vlen, BTF_VAR_GLOBAL);
	free(params);
	return type;
}

int ebpf_load_context_types(struct ebpf_load *load, struct ebpf_load_function *lf, struct ebpf_error *err)
{
	free(lf->variants);
	lf->variants = NULL;
	lf->variant_count = 0;
	if (!lf->function->context_params || !lf->function->global || !lf->function->type_id ||
	    ebpf_kernel_supports(load->kernel, EBPF_FEATURE_ARG_CTX_TAG))
		return 0;
	lf->variants = calloc(64, sizeof(*lf->variants));
	if (!lf->variants)
		return ebpf_fail_memory(err);
	for (uint32_t type = 0; type < 64; type++) {
		const char *name = lf->program_types & 1ULL << type ? context_name(type) : NULL;
		int64_t id = name ? add_variant(load, lf->function, name, err) : 0;

		if (id < 0)
			return ebpf_wrap(err, (int)id, "function '%s': types", lf->function->name);
		if (id)
			lf->variants[lf->variant_count++] = (struct ebpf_load_variant){ type, (uint32_t)id };
	}
	return 0;
}

uint32_t ebpf_load_function_type(const struct ebpf_load_function *lf, uint32_t program_type)
{
	for (size_t i = 0; i < lf->variant_count; i++)
		if (lf->variants[i].program_type == program_type)
			return lf->variants[i].type_id;
	return lf->type_id;
}
