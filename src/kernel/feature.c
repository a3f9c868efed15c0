/* feature.c -- what the running kernel can do: a table of rows {name, since, probe}. Types of programs, maps and
 * attachments, of which there are many alike, are in groups of their own (feature_group.c).
 *
 * A probe asks the kernel by doing the thing on a small scale (or on a descriptor that does not exist, where the error
 * tells) and undoes it at once. It returns 1 (present), 0 (absent), or -errno when it could not tell, as without
 * privileges. Conclusive answers are kept.
 *
 * To add a feature: (1) a line in enum ebpf_feature (kernel.h); (2) its row in `features` below; (3) its probe above
 * that.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/call.h"
#include "kernel/context.h"
#include "kernel/probe.h"
#include "sys/policy.h"

/* -- the pieces that probes are made of -- */

static const struct ebpf_insn return_zero[] = { MOV_IMM(0, 0), EXIT };

static int verdict(struct ebpf_kernel *kernel, int result)
{
	return ebpf_probe_verdict(kernel, result);
}

static void program_attr(union bpf_attr *attr, uint32_t type, const struct ebpf_insn *insns, size_t count)
{
	memset(attr, 0, sizeof *attr);
	attr->prog_type = type;
	attr->insns = ebpf_ptr(insns);
	attr->insn_cnt = (uint32_t)count;
	attr->license = ebpf_ptr("GPL");
}

static int load(struct ebpf_kernel *kernel, uint32_t type, const struct ebpf_insn *insns, size_t count)
{
	union bpf_attr attr;

	program_attr(&attr, type, insns, count);
	return ebpf_kernel_create(kernel, BPF_PROG_LOAD, &attr, sizeof attr);
}

static int create_map(struct ebpf_kernel *kernel, uint32_t type, uint32_t value_size, uint32_t flags, const char *name)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.map_type = type;
	attr.key_size = 4;
	attr.value_size = value_size;
	attr.max_entries = 1;
	attr.map_flags = flags;
	snprintf(attr.map_name, sizeof attr.map_name, "%s", name);
	return ebpf_kernel_create(kernel, BPF_MAP_CREATE, &attr, sizeof attr);
}

/* -- objects, programs and maps -- */

static int probe_prog_name(struct ebpf_kernel *kernel)
{
	union bpf_attr attr;

	program_attr(&attr, BPF_PROG_TYPE_SOCKET_FILTER, return_zero, EBPF_COUNT(return_zero));
	snprintf(attr.prog_name, sizeof attr.prog_name, "probe");
	return verdict(kernel, ebpf_kernel_create(kernel, BPF_PROG_LOAD, &attr, sizeof attr));
}

static int probe_name_dots(struct ebpf_kernel *kernel)
{
	return verdict(kernel, create_map(kernel, BPF_MAP_TYPE_ARRAY, 4, 0, "a.b"));
}

static int probe_global_data(struct ebpf_kernel *kernel)
{
	int result, map = create_map(kernel, BPF_MAP_TYPE_ARRAY, 32, 0, "");
	struct ebpf_insn insns[] = {
		LOAD_WIDE(1, BPF_PSEUDO_MAP_VALUE, map), { .imm = 16 }, STORE_IMM64(1, 42), MOV_IMM(0, 0), EXIT,
	};

	if (map < 0)
		return map;
	result = verdict(kernel, load(kernel, BPF_PROG_TYPE_SOCKET_FILTER, insns, EBPF_COUNT(insns)));
	kernel->sys->close(map);
	return result;
}

static int probe_mmap(struct ebpf_kernel *kernel)
{
	return verdict(kernel, create_map(kernel, BPF_MAP_TYPE_ARRAY, 4, BPF_F_MMAPABLE, ""));
}

static int probe_map_batch(struct ebpf_kernel *kernel)
{
	int result, map = create_map(kernel, BPF_MAP_TYPE_ARRAY, 4, 0, "");
	uint32_t key = 0, value = 0, next = 0;
	union bpf_attr attr;

	if (map < 0)
		return map;
	memset(&attr, 0, sizeof attr);
	attr.batch.map_fd = (uint32_t)map;
	attr.batch.out_batch = ebpf_ptr(&next);
	attr.batch.keys = ebpf_ptr(&key);
	attr.batch.values = ebpf_ptr(&value);
	attr.batch.count = 1;
	result = kernel->sys->bpf(BPF_MAP_LOOKUP_BATCH, &attr, EBPF_ATTR_SIZE(batch));
	kernel->sys->close(map);
	/* ENOENT says that this was the last batch. */
	return result == 0 || result == -ENOENT ? 1 : verdict(kernel, result);
}

static int probe_map_cpu(struct ebpf_kernel *kernel)
{
	int result, map = create_map(kernel, BPF_MAP_TYPE_PERCPU_ARRAY, 4, 0, "");
	uint32_t key = 0, value = 0;
	union bpf_attr attr;

	if (map < 0)
		return map;
	memset(&attr, 0, sizeof attr);
	attr.map_fd = (uint32_t)map;
	attr.key = ebpf_ptr(&key);
	attr.value = ebpf_ptr(&value);
	attr.flags = BPF_F_CPU; /* of CPU 0 */
	result = kernel->sys->bpf(BPF_MAP_UPDATE_ELEM, &attr, EBPF_ATTR_SIZE(flags));
	kernel->sys->close(map);
	return result >= 0 ? 1 : verdict(kernel, result);
}

/* Refused in any case, the offset being beyond the value: what counts is whether it is the offset's size that the verifier minds. */
static int probe_wide_offsets(struct ebpf_kernel *kernel)
{
	int result, map = create_map(kernel, BPF_MAP_TYPE_ARRAY, 4, 0, "");
	struct ebpf_insn insns[] = { LOAD_WIDE(1, BPF_PSEUDO_MAP_VALUE, map), { .imm = 1 << 30 }, MOV_IMM(0, 0), EXIT };
	char log[1024] = "";
	union bpf_attr attr;

	if (map < 0)
		return map;
	program_attr(&attr, BPF_PROG_TYPE_SOCKET_FILTER, insns, EBPF_COUNT(insns));
	attr.log_buf = ebpf_ptr(log);
	attr.log_size = sizeof log;
	attr.log_level = 1;
	result = ebpf_kernel_create(kernel, BPF_PROG_LOAD, &attr, sizeof attr);
	kernel->sys->close(map);
	if (strstr(log, "direct value offset of"))
		return 0;
	if (strstr(log, "invalid access to map value pointer"))
		return 1;
	return result == -EINVAL || result == -EACCES ? 0 : verdict(kernel, result);
}

/* Type 1 is an int: a kernel that knows the flag goes on to look it up among the tables and answers ENOTSUPP (524). */
static int probe_struct_ops_link(struct ebpf_kernel *kernel)
{
	union bpf_attr attr;
	int result;

	memset(&attr, 0, sizeof attr);
	attr.map_type = BPF_MAP_TYPE_STRUCT_OPS;
	attr.key_size = 4;
	attr.value_size = 4;
	attr.max_entries = 1;
	attr.map_flags = BPF_F_LINK;
	attr.btf_vmlinux_value_type_id = 1;
	result = ebpf_kernel_create(kernel, BPF_MAP_CREATE, &attr, sizeof attr);
	return result == -ENOTSUP || result == -524 ? 1 : verdict(kernel, result);
}

/* Either type will do; a kernel may lack cgroups. */
static int probe_expected_attach_type(struct ebpf_kernel *kernel)
{
	union bpf_attr attr;
	int result;

	program_attr(&attr, BPF_PROG_TYPE_CGROUP_SOCK, return_zero, EBPF_COUNT(return_zero));
	attr.expected_attach_type = BPF_CGROUP_INET_SOCK_CREATE;
	result = verdict(kernel, ebpf_kernel_create(kernel, BPF_PROG_LOAD, &attr, sizeof attr));
	if (result)
		return result;
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	return verdict(kernel, ebpf_kernel_create(kernel, BPF_PROG_LOAD, &attr, sizeof attr));
}

static int probe_probe_read_kernel(struct ebpf_kernel *kernel)
{
	static const struct ebpf_insn insns[] = {
		MOV_REG(1, 10), ADD_IMM(1, -8), MOV_IMM(2, 8), MOV_IMM(3, 0), HELPER(113), MOV_IMM(0, 0), EXIT,
	};

	return verdict(kernel, load(kernel, BPF_PROG_TYPE_TRACEPOINT, insns, EBPF_COUNT(insns)));
}

static int probe_prog_bind_map(struct ebpf_kernel *kernel)
{
	int result, program, map = create_map(kernel, BPF_MAP_TYPE_ARRAY, 4, 0, "");
	union bpf_attr attr;

	if (map < 0)
		return map;
	program = load(kernel, BPF_PROG_TYPE_SOCKET_FILTER, return_zero, EBPF_COUNT(return_zero));
	result = program;
	if (program >= 0) {
		memset(&attr, 0, sizeof attr);
		attr.prog_bind_map.prog_fd = (uint32_t)program;
		attr.prog_bind_map.map_fd = (uint32_t)map;
		result = kernel->sys->bpf(BPF_PROG_BIND_MAP, &attr, EBPF_ATTR_SIZE(prog_bind_map));
		result = result == 0 ? 1 : verdict(kernel, result);
		kernel->sys->close(program);
	}
	kernel->sys->close(map);
	return result;
}

/* bpf_ktime_get_coarse_ns came with the same release; changing the process's limit to find out would not be free of
 * effects. */
static int probe_memcg_account(struct ebpf_kernel *kernel)
{
	static const struct ebpf_insn insns[] = { HELPER(160), MOV_IMM(0, 0), EXIT };

	return verdict(kernel, load(kernel, BPF_PROG_TYPE_SOCKET_FILTER, insns, EBPF_COUNT(insns)));
}

static int probe_ringbuf(struct ebpf_kernel *kernel)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.map_type = BPF_MAP_TYPE_RINGBUF;
	attr.max_entries = (uint32_t)sysconf(_SC_PAGESIZE);
	return verdict(kernel, ebpf_kernel_create(kernel, BPF_MAP_CREATE, &attr, sizeof attr));
}

/* -- BTF -- */

#define INFO(kind, vlen) ((uint32_t)(kind) << 24 | (vlen))
#define TYPE_INT(name, encoding) (name), INFO(BTF_KIND_INT, 0), 4, (uint32_t)(encoding) << 24 | 32
/* The strings of all probes: "int" at 1, "x" at 5, "a" at 7, ".data" at 9, "arg:ctx" at 15. */
static const char strings[] = "\0int\0x\0a\0.data\0arg:ctx";

/* Loads raw BTF with these types. */
static int load_btf(struct ebpf_kernel *kernel, const uint32_t *types, size_t size)
{
	struct {
		uint16_t magic;
		uint8_t version, flags;
		uint32_t hdr_len, type_off, type_len, str_off, str_len;
		uint8_t bytes[160];
	} raw = { .magic = 0xeb9f,
		  .version = 1,
		  .hdr_len = 24,
		  .type_len = (uint32_t)size,
		  .str_off = (uint32_t)size,
		  .str_len = sizeof strings };
	union bpf_attr attr;

	memcpy(raw.bytes, types, size);
	memcpy(raw.bytes + size, strings, sizeof strings);
	memset(&attr, 0, sizeof attr);
	attr.btf = ebpf_ptr(&raw);
	attr.btf_size = (uint32_t)(24 + size + sizeof strings);
	return ebpf_kernel_create(kernel, BPF_BTF_LOAD, &attr, sizeof attr);
}

static const uint32_t only_int[] = { TYPE_INT(1, BTF_INT_SIGNED) };

static int probe_btf(struct ebpf_kernel *kernel)
{
	return verdict(kernel, load_btf(kernel, only_int, sizeof only_int));
}

static int probe_function(struct ebpf_kernel *kernel, uint32_t linkage)
{
	uint32_t types[] = {
		TYPE_INT(1, BTF_INT_SIGNED),                  /* [1] */
		0, INFO(BTF_KIND_FUNC_PROTO, 1), 0, 7, 1,     /* [2] void (int a) */
		5, INFO(BTF_KIND_FUNC, linkage), 2,           /* [3] x */
	};

	return verdict(kernel, load_btf(kernel, types, sizeof types));
}

static int probe_btf_func(struct ebpf_kernel *kernel)
{
	return probe_function(kernel, BTF_VAR_STATIC);
}

static int probe_btf_global_func(struct ebpf_kernel *kernel)
{
	return probe_function(kernel, BTF_VAR_GLOBAL);
}

#define TYPES_INT_AND_VAR                                                                                              \
	TYPE_INT(0, BTF_INT_SIGNED), 5, INFO(BTF_KIND_VAR, 0), 1, BTF_VAR_STATIC /* [1] int, [2] static int x */

static int probe_btf_datasec(struct ebpf_kernel *kernel)
{
	static const uint32_t types[] = { TYPES_INT_AND_VAR, 9, INFO(BTF_KIND_DATASEC, 1), 4, 2, 0, 4 };

	return verdict(kernel, load_btf(kernel, types, sizeof types));
}

static int probe_btf_float(struct ebpf_kernel *kernel)
{
	static const uint32_t types[] = { 5, INFO(BTF_KIND_FLOAT, 0), 4 };

	return verdict(kernel, load_btf(kernel, types, sizeof types));
}

static int probe_btf_decl_tag(struct ebpf_kernel *kernel)
{
	static const uint32_t types[] = { TYPES_INT_AND_VAR, 7, INFO(BTF_KIND_DECL_TAG, 0), 2, UINT32_MAX };

	return verdict(kernel, load_btf(kernel, types, sizeof types));
}

static int probe_btf_type_tag(struct ebpf_kernel *kernel)
{
	static const uint32_t types[] = { TYPE_INT(0, BTF_INT_SIGNED), 7, INFO(BTF_KIND_TYPE_TAG, 0), 1, 0,
					  INFO(BTF_KIND_PTR, 0),       2 };

	return verdict(kernel, load_btf(kernel, types, sizeof types));
}

static int probe_btf_enum64(struct ebpf_kernel *kernel)
{
	static const uint32_t types[] = { 5, INFO(BTF_KIND_ENUM64, 0), 8 };

	return verdict(kernel, load_btf(kernel, types, sizeof types));
}

/* A program with a global function of a tagged parameter, `void *` for its type, that a helper takes for the context. */
static int probe_arg_ctx_tag(struct ebpf_kernel *kernel)
{
	static const uint32_t types[] = {
		TYPE_INT(1, BTF_INT_SIGNED),                                /* [1] */
		0, INFO(BTF_KIND_PTR, 0), 0,                                /* [2] void * */
		0, INFO(BTF_KIND_FUNC_PROTO, 1), 1, 7, 2,                   /* [3] int (void *a) */
		5, INFO(BTF_KIND_FUNC, BTF_VAR_GLOBAL), 3,                  /* [4] x, the program */
		7, INFO(BTF_KIND_FUNC, BTF_VAR_GLOBAL), 3,                  /* [5] a, the function */
		15, INFO(BTF_KIND_DECL_TAG, 0), 5, 0,                       /* its parameter */
	};
	static const struct ebpf_insn insns[] = {
		{ .code = 0x85, .src = BPF_PSEUDO_CALL, .imm = 1 }, EXIT, HELPER(46), MOV_IMM(0, 0), EXIT, /* get_socket_cookie */
	};
	static const uint32_t functions[] = { 0, 4, 2, 5 };
	int result, fd = load_btf(kernel, types, sizeof types);
	union bpf_attr attr;

	if (fd < 0)
		return verdict(kernel, fd);
	program_attr(&attr, BPF_PROG_TYPE_SOCKET_FILTER, insns, EBPF_COUNT(insns));
	attr.prog_btf_fd = (uint32_t)fd;
	attr.func_info = ebpf_ptr(functions);
	attr.func_info_cnt = 2;
	attr.func_info_rec_size = 8;
	result = verdict(kernel, ebpf_kernel_create(kernel, BPF_PROG_LOAD, &attr, sizeof attr));
	kernel->sys->close(fd);
	return result;
}

/* Is there such a file? 0 = no. */
static int exists(struct ebpf_kernel *kernel, int dir_fd, const char *path)
{
	int fd = kernel->sys->openat(dir_fd, path, O_PATH | O_CLOEXEC, 0);

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd >= 0)
		kernel->sys->close(fd);
	return fd < 0 ? fd : 1;
}

/* The same where an unmounted sysfs must not look like a kernel without the thing. */
static int exists_below(struct ebpf_kernel *kernel, const char *dir, const char *path)
{
	int result = exists(kernel, AT_FDCWD, path);

	if (result)
		return result;
	result = exists(kernel, AT_FDCWD, dir);
	return result == 1 ? 0 : -ENOENT;
}

static int probe_vmlinux_btf(struct ebpf_kernel *kernel)
{
	return exists_below(kernel, "/sys/kernel", "/sys/kernel/btf/vmlinux");
}

/* The name in the info of a BTF object came with modules' BTF. */
static int probe_module_btf(struct ebpf_kernel *kernel)
{
	int result, fd = load_btf(kernel, only_int, sizeof only_int);
	struct bpf_btf_info info = { 0 };
	union bpf_attr attr;
	char name[16];

	if (fd < 0)
		return verdict(kernel, fd);
	info.name = ebpf_ptr(name);
	info.name_len = sizeof name;
	memset(&attr, 0, sizeof attr);
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof info;
	attr.info.info = ebpf_ptr(&info);
	result = kernel->sys->bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, EBPF_ATTR_SIZE(info));
	kernel->sys->close(fd);
	return result == 0 ? 1 : verdict(kernel, result);
}

/* -- links: the kernel knows an attachment when it complains of the descriptor (EBADF), not of the request (EINVAL,
 * E2BIG) -- */

static int complains_of_descriptor(struct ebpf_kernel *kernel, int result)
{
	return result == -EBADF ? 1 : verdict(kernel, result);
}

/* BPF_LINK_CREATE of a do-nothing program on target -1. */
static int try_link_with(struct ebpf_kernel *kernel, uint32_t program_type, uint32_t expected, uint32_t attach_type,
			 uint32_t flags)
{
	union bpf_attr attr;
	int result, program;

	program_attr(&attr, program_type, return_zero, EBPF_COUNT(return_zero));
	attr.expected_attach_type = expected;
	program = ebpf_kernel_create(kernel, BPF_PROG_LOAD, &attr, sizeof attr);
	if (program < 0)
		return verdict(kernel, program);
	memset(&attr, 0, sizeof attr);
	attr.link_create.prog_fd = (uint32_t)program;
	attr.link_create.target_fd = (uint32_t)-1;
	attr.link_create.attach_type = attach_type;
	attr.link_create.flags = flags;
	result = complains_of_descriptor(kernel, kernel->sys->bpf(BPF_LINK_CREATE, &attr, sizeof attr));
	kernel->sys->close(program);
	return result;
}

static int try_link(struct ebpf_kernel *kernel, uint32_t program_type, uint32_t expected, uint32_t attach_type)
{
	return try_link_with(kernel, program_type, expected, attach_type, 0);
}

static int probe_cgroup_order(struct ebpf_kernel *kernel)
{
	return try_link_with(kernel, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, BPF_CGROUP_INET_EGRESS, BPF_F_BEFORE);
}

static int probe_netns_link(struct ebpf_kernel *kernel)
{
	return try_link(kernel, BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_FLOW_DISSECTOR, BPF_FLOW_DISSECTOR);
}

static int probe_sockmap_link(struct ebpf_kernel *kernel)
{
	return try_link(kernel, BPF_PROG_TYPE_SK_MSG, BPF_SK_MSG_VERDICT, BPF_SK_MSG_VERDICT);
}

/* Here the protocol family can be wrong, not a descriptor. */
static int probe_netfilter_link(struct ebpf_kernel *kernel)
{
	union bpf_attr attr;
	int result, program;

	program_attr(&attr, BPF_PROG_TYPE_NETFILTER, return_zero, EBPF_COUNT(return_zero));
	attr.expected_attach_type = BPF_NETFILTER;
	program = ebpf_kernel_create(kernel, BPF_PROG_LOAD, &attr, sizeof attr);
	if (program < 0)
		return verdict(kernel, program);
	memset(&attr, 0, sizeof attr);
	attr.link_create.prog_fd = (uint32_t)program;
	attr.link_create.attach_type = BPF_NETFILTER;
	attr.link_create.netfilter.pf = (uint32_t)-1;
	result = kernel->sys->bpf(BPF_LINK_CREATE, &attr, EBPF_ATTR_SIZE(link_create));
	kernel->sys->close(program);
	return result == -EAFNOSUPPORT ? 1 : verdict(kernel, result);
}

static int probe_cgroup_multi(struct ebpf_kernel *kernel)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.target_fd = (uint32_t)-1;
	attr.attach_bpf_fd = (uint32_t)-1;
	attr.attach_type = BPF_CGROUP_INET_EGRESS;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	return complains_of_descriptor(kernel,
				       kernel->sys->bpf(BPF_PROG_ATTACH, &attr, EBPF_ATTR_SIZE(replace_bpf_fd)));
}

static int probe_cgroup_link(struct ebpf_kernel *kernel)
{
	return try_link(kernel, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, BPF_CGROUP_INET_EGRESS);
}

/* A device that does not exist gives EINVAL, as does an unknown attach type; but the kernels that do not know BPF_XDP
 * (5.7, 5.8) look at the attach type before they look at the program. */
static int probe_xdp_link(struct ebpf_kernel *kernel)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.link_create.prog_fd = (uint32_t)-1;
	attr.link_create.attach_type = BPF_XDP;
	return complains_of_descriptor(kernel, kernel->sys->bpf(BPF_LINK_CREATE, &attr, sizeof attr));
}

static int probe_perf_link(struct ebpf_kernel *kernel)
{
	return try_link(kernel, BPF_PROG_TYPE_TRACEPOINT, 0, BPF_PERF_EVENT);
}

/* -- links on many places: with arguments that are wrong in a way that only who knows such links complains of -- */

static int try_multi(struct ebpf_kernel *kernel, uint32_t attach_type, void (*fill)(union bpf_attr *attr), int complaint)
{
	union bpf_attr attr;
	int result, program;

	program_attr(&attr, BPF_PROG_TYPE_KPROBE, return_zero, EBPF_COUNT(return_zero));
	attr.expected_attach_type = attach_type;
	program = ebpf_kernel_create(kernel, BPF_PROG_LOAD, &attr, sizeof attr);
	if (program < 0)
		return verdict(kernel, program);
	memset(&attr, 0, sizeof attr);
	attr.link_create.prog_fd = (uint32_t)program;
	attr.link_create.attach_type = attach_type;
	fill(&attr);
	result = kernel->sys->bpf(BPF_LINK_CREATE, &attr, EBPF_ATTR_SIZE(link_create));
	kernel->sys->close(program);
	return result == complaint ? 1 : verdict(kernel, result);
}

/* Addresses that cannot be read. */
static void fill_kprobes(union bpf_attr *attr)
{
	attr->link_create.kprobe_multi.cnt = 1;
	attr->link_create.kprobe_multi.addrs = 1;
}

/* A folder instead of a file. */
static void fill_uprobes(union bpf_attr *attr)
{
	static const uint64_t offset;

	attr->link_create.uprobe_multi.path = ebpf_ptr("/");
	attr->link_create.uprobe_multi.offsets = ebpf_ptr(&offset);
	attr->link_create.uprobe_multi.cnt = 1;
}

static int probe_kprobe_multi(struct ebpf_kernel *kernel)
{
	return try_multi(kernel, BPF_TRACE_KPROBE_MULTI, fill_kprobes, -EFAULT);
}

static int probe_kprobe_session(struct ebpf_kernel *kernel)
{
	return try_multi(kernel, BPF_TRACE_KPROBE_SESSION, fill_kprobes, -EFAULT);
}

static int probe_uprobe_multi(struct ebpf_kernel *kernel)
{
	return try_multi(kernel, BPF_TRACE_UPROBE_MULTI, fill_uprobes, -EBADF);
}

static int probe_uprobe_session(struct ebpf_kernel *kernel)
{
	return try_multi(kernel, BPF_TRACE_UPROBE_SESSION, fill_uprobes, -EBADF);
}

/* The kernel that counts processes refuses a negative one before it looks at the file. */
static void fill_negative_pid(union bpf_attr *attr)
{
	fill_uprobes(attr);
	attr->link_create.uprobe_multi.pid = (uint32_t)-1;
}

static int probe_uprobe_multi_pid(struct ebpf_kernel *kernel)
{
	int result = probe_uprobe_multi(kernel);

	return result == 1 ? try_multi(kernel, BPF_TRACE_UPROBE_MULTI, fill_negative_pid, -EINVAL) : result;
}

/* A device that does not exist is looked for only where the kind of attachment is built in; interface indices are
 * positive. */
static int try_device(struct ebpf_kernel *kernel, uint32_t attach_type)
{
	int result, program = load(kernel, BPF_PROG_TYPE_SCHED_CLS, return_zero, EBPF_COUNT(return_zero));
	union bpf_attr attr;

	if (program < 0)
		return verdict(kernel, program);
	memset(&attr, 0, sizeof attr);
	attr.target_ifindex = (uint32_t)-1;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = attach_type;
	result = kernel->sys->bpf(BPF_PROG_ATTACH, &attr, EBPF_ATTR_SIZE(expected_revision));
	kernel->sys->close(program);
	return result == -ENODEV ? 1 : verdict(kernel, result);
}

static int probe_tcx(struct ebpf_kernel *kernel)
{
	return try_device(kernel, BPF_TCX_INGRESS);
}

static int probe_netkit(struct ebpf_kernel *kernel)
{
	return try_device(kernel, BPF_NETKIT_PRIMARY);
}

static int probe_iter(struct ebpf_kernel *kernel)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.iter_create.link_fd = (uint32_t)-1;
	return complains_of_descriptor(kernel, kernel->sys->bpf(BPF_ITER_CREATE, &attr, EBPF_ATTR_SIZE(iter_create)));
}

static int probe_raw_tp_cookie(struct ebpf_kernel *kernel)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.raw_tracepoint.prog_fd = (uint32_t)-1;
	attr.raw_tracepoint.cookie = 1;
	return complains_of_descriptor(
		kernel, kernel->sys->bpf(BPF_RAW_TRACEPOINT_OPEN, &attr, EBPF_ATTR_SIZE(raw_tracepoint)));
}

static int probe_bpf_cookie(struct ebpf_kernel *kernel)
{
	static const struct ebpf_insn insns[] = { HELPER(174), MOV_IMM(0, 0), EXIT };

	return verdict(kernel, load(kernel, BPF_PROG_TYPE_TRACEPOINT, insns, EBPF_COUNT(insns)));
}

/* A tracing program on the first of the named types that this kernel has. */
static int load_tracing(struct ebpf_kernel *kernel, uint32_t attach_type, uint32_t kind, const char *const *names)
{
	struct ebpf_btf *btf = ebpf_kernel_btf(kernel, NULL);
	union bpf_attr attr;
	int64_t id = -ENOENT;

	if (!btf)
		return -ENOTSUP;
	for (; *names && id < 0; names++)
		id = ebpf_btf_find_kind(btf, *names, kind);
	if (id < 0)
		return -ENOTSUP;
	program_attr(&attr, BPF_PROG_TYPE_TRACING, return_zero, EBPF_COUNT(return_zero));
	attr.expected_attach_type = attach_type;
	attr.attach_btf_id = (uint32_t)id;
	return ebpf_kernel_create(kernel, BPF_PROG_LOAD, &attr, sizeof attr);
}

/* Tracepoints that hardly ever fire. */
static const char *const quiet_tracepoints[] = { "btf_trace_oom_score_adj_update", "btf_trace_task_rename",
						 "btf_trace_sched_process_exit", NULL };

/* Here no descriptor can be wrong: a program that does nothing is attached for a moment. */
static int probe_tracing_link(struct ebpf_kernel *kernel)
{
	int result, program = load_tracing(kernel, BPF_TRACE_RAW_TP, BTF_KIND_TYPEDEF, quiet_tracepoints);
	union bpf_attr attr;

	if (program < 0)
		return verdict(kernel, program);
	memset(&attr, 0, sizeof attr);
	attr.link_create.prog_fd = (uint32_t)program;
	attr.link_create.attach_type = BPF_TRACE_RAW_TP;
	result = verdict(kernel, kernel->sys->bpf(BPF_LINK_CREATE, &attr, sizeof attr));
	kernel->sys->close(program);
	return result;
}

/* Some kernels refuse such programs at load, with EPERM also for root; some architectures load but do not attach them
 * (arm64 before 6.0). The functions are those of the kernel's own test run, called by nobody else. */
static int probe_trampoline(struct ebpf_kernel *kernel)
{
	static const char *const functions[] = { "bpf_fentry_test1", "bpf_modify_return_test", "bpf_fentry_test2",
						 NULL };
	int result, program = load_tracing(kernel, BPF_TRACE_FENTRY, BTF_KIND_FUNC, functions);
	union bpf_attr attr;

	if (program == -EPERM) {
		/* Is it the privilege or the trampoline? A raw tracepoint with types needs the same capabilities. */
		program = load_tracing(kernel, BPF_TRACE_RAW_TP, BTF_KIND_TYPEDEF, quiet_tracepoints);
		return verdict(kernel, program) == 1 ? 0 : -EPERM;
	}
	/* A kernel that only interprets programs (s390x as Debian makes it) has none, and says that memory is short. */
	if (program == -ENOMEM && exists_below(kernel, "/proc/sys/net/core", "/proc/sys/net/core/bpf_jit_enable") == 0)
		return 0;
	if (program < 0)
		return verdict(kernel, program);
	memset(&attr, 0, sizeof attr);
	attr.raw_tracepoint.prog_fd = (uint32_t)program;
	result = verdict(kernel, kernel->sys->bpf(BPF_RAW_TRACEPOINT_OPEN, &attr, EBPF_ATTR_SIZE(raw_tracepoint)));
	kernel->sys->close(program);
	return result;
}

/* -- probes of the perf and tracing subsystems -- */

#define PMU_DIR "/sys/bus/event_source/devices"

static int probe_perf_kprobe(struct ebpf_kernel *kernel)
{
	return exists_below(kernel, PMU_DIR, PMU_DIR "/kprobe/type");
}

static int probe_perf_uprobe(struct ebpf_kernel *kernel)
{
	return exists_below(kernel, PMU_DIR, PMU_DIR "/uprobe/type");
}

static int probe_uprobe_ref_ctr(struct ebpf_kernel *kernel)
{
	return exists_below(kernel, PMU_DIR, PMU_DIR "/uprobe/format/ref_ctr_offset");
}

static int probe_kprobe(struct ebpf_kernel *kernel)
{
	char value[8];
	int tracefs;

	if (probe_perf_kprobe(kernel) == 1)
		return 1;
	tracefs = ebpf_kernel_tracefs(kernel, NULL);
	if (tracefs >= 0)
		return exists(kernel, tracefs, "kprobe_events");
	if (ebpf_kernel_config(kernel, "CONFIG_KPROBE_EVENTS", value, sizeof value, NULL))
		return tracefs;
	return value[0] == 'y';
}

static int probe_syscall_wrapper(struct ebpf_kernel *kernel)
{
	char name[64];
	const char *names[] = { name };
	struct ebpf_btf *btf;
	uint64_t address;
	int result;

	snprintf(name, sizeof name, "%sbpf", ebpf_kernel_syscall_prefix());
	btf = ebpf_kernel_btf(kernel, NULL); /* fast where it is there */
	if (btf && ebpf_btf_find_kind(btf, name, BTF_KIND_FUNC) >= 0)
		return 1;
	result = ebpf_kernel_symbols(kernel, names, &address, 1, NULL);
	if (result == -EPERM || result == -EEXIST)
		return 1; /* it is in the list, be its address hidden or not */
	return result < 0 ? result : address != 0;
}

/* -- the table -- */

/* ORDER FEATURE */
static const struct feature {
	const char *name, *since;
	int (*probe)(struct ebpf_kernel *kernel);
} features[] = {
	[EBPF_FEATURE_PROG_NAME] = { "prog_name", "4.15", probe_prog_name },
	[EBPF_FEATURE_NAME_DOTS] = { "name_dots", "5.2", probe_name_dots },
	[EBPF_FEATURE_GLOBAL_DATA] = { "global_data", "5.2", probe_global_data },
	[EBPF_FEATURE_BTF] = { "btf", "4.18", probe_btf },
	[EBPF_FEATURE_BTF_FUNC] = { "btf_func", "5.0", probe_btf_func },
	[EBPF_FEATURE_BTF_DATASEC] = { "btf_datasec", "5.2", probe_btf_datasec },
	[EBPF_FEATURE_BTF_GLOBAL_FUNC] = { "btf_global_func", "5.6", probe_btf_global_func },
	[EBPF_FEATURE_BTF_FLOAT] = { "btf_float", "5.13", probe_btf_float },
	[EBPF_FEATURE_BTF_DECL_TAG] = { "btf_decl_tag", "5.16", probe_btf_decl_tag },
	[EBPF_FEATURE_BTF_TYPE_TAG] = { "btf_type_tag", "5.17", probe_btf_type_tag },
	[EBPF_FEATURE_BTF_ENUM64] = { "btf_enum64", "6.0", probe_btf_enum64 },
	[EBPF_FEATURE_VMLINUX_BTF] = { "vmlinux_btf", "5.4", probe_vmlinux_btf },
	[EBPF_FEATURE_MODULE_BTF] = { "module_btf", "5.11", probe_module_btf },
	[EBPF_FEATURE_MMAP] = { "mmap", "5.5", probe_mmap },
	[EBPF_FEATURE_MAP_BATCH] = { "map_batch", "5.6", probe_map_batch },
	[EBPF_FEATURE_MAP_CPU] = { "map_cpu", "7.0", probe_map_cpu },
	[EBPF_FEATURE_EXPECTED_ATTACH_TYPE] = { "expected_attach_type", "4.17", probe_expected_attach_type },
	[EBPF_FEATURE_PROBE_READ_KERNEL] = { "probe_read_kernel", "5.5", probe_probe_read_kernel },
	[EBPF_FEATURE_PROG_BIND_MAP] = { "prog_bind_map", "5.10", probe_prog_bind_map },
	[EBPF_FEATURE_MEMCG_ACCOUNT] = { "memcg_account", "5.11", probe_memcg_account },
	[EBPF_FEATURE_RINGBUF] = { "ringbuf", "5.8", probe_ringbuf },
	[EBPF_FEATURE_CGROUP_MULTI] = { "cgroup_multi", "4.15", probe_cgroup_multi },
	[EBPF_FEATURE_CGROUP_LINK] = { "cgroup_link", "5.7", probe_cgroup_link },
	[EBPF_FEATURE_CGROUP_ORDER] = { "cgroup_order", "6.17", probe_cgroup_order },
	[EBPF_FEATURE_NETNS_LINK] = { "netns_link", "5.8", probe_netns_link },
	[EBPF_FEATURE_SOCKMAP_LINK] = { "sockmap_link", "6.10", probe_sockmap_link },
	[EBPF_FEATURE_NETFILTER_LINK] = { "netfilter_link", "6.4", probe_netfilter_link },
	[EBPF_FEATURE_XDP_LINK] = { "xdp_link", "5.9", probe_xdp_link },
	[EBPF_FEATURE_PERF_LINK] = { "perf_link", "5.15", probe_perf_link },
	[EBPF_FEATURE_TRACING_LINK] = { "tracing_link", "5.19", probe_tracing_link },
	[EBPF_FEATURE_KPROBE_MULTI] = { "kprobe_multi", "5.18", probe_kprobe_multi },
	[EBPF_FEATURE_KPROBE_SESSION] = { "kprobe_session", "6.10", probe_kprobe_session },
	[EBPF_FEATURE_UPROBE_MULTI] = { "uprobe_multi", "6.6", probe_uprobe_multi },
	[EBPF_FEATURE_UPROBE_MULTI_PID] = { "uprobe_multi_pid", "6.10", probe_uprobe_multi_pid },
	[EBPF_FEATURE_UPROBE_SESSION] = { "uprobe_session", "6.13", probe_uprobe_session },
	[EBPF_FEATURE_TCX] = { "tcx", "6.6", probe_tcx },
	[EBPF_FEATURE_NETKIT] = { "netkit", "6.7", probe_netkit },
	[EBPF_FEATURE_ITER] = { "iter", "5.8", probe_iter },
	[EBPF_FEATURE_RAW_TP_COOKIE] = { "raw_tp_cookie", "6.10", probe_raw_tp_cookie },
	[EBPF_FEATURE_BPF_COOKIE] = { "bpf_cookie", "5.15", probe_bpf_cookie },
	[EBPF_FEATURE_KPROBE] = { "kprobe", "4.1", probe_kprobe },
	[EBPF_FEATURE_PERF_KPROBE] = { "perf_kprobe", "4.17", probe_perf_kprobe },
	[EBPF_FEATURE_PERF_UPROBE] = { "perf_uprobe", "4.17", probe_perf_uprobe },
	[EBPF_FEATURE_UPROBE_REF_CTR] = { "uprobe_ref_ctr", "4.20", probe_uprobe_ref_ctr },
	[EBPF_FEATURE_TRAMPOLINE] = { "trampoline", "5.5", probe_trampoline },
	[EBPF_FEATURE_SYSCALL_WRAPPER] = { "syscall_wrapper", "4.17", probe_syscall_wrapper },
	[EBPF_FEATURE_ARG_CTX_TAG] = { "arg_ctx_tag", "6.8", probe_arg_ctx_tag },
	[EBPF_FEATURE_WIDE_OFFSETS] = { "wide_offsets", "7.0", probe_wide_offsets },
	[EBPF_FEATURE_STRUCT_OPS_LINK] = { "struct_ops_link", "6.4", probe_struct_ops_link },
	[EBPF_FEATURE_TOKEN] = { "token", "6.9", ebpf_probe_token },
	[EBPF_FEATURE_PROG_STREAM] = { "prog_stream", "6.17", ebpf_probe_prog_stream },
	[EBPF_FEATURE_PROG_ASSOC_STRUCT_OPS] = { "prog_assoc_struct_ops", "7.0", ebpf_probe_prog_assoc_struct_ops },
	[EBPF_FEATURE_COMMON_ATTRS] = { "common_attrs", "7.2", ebpf_probe_common_attrs },
	[EBPF_FEATURE_VERIFIER_REGISTERS] = { "verifier_registers", "6.15", ebpf_call_probe_registers },
};
_Static_assert(EBPF_COUNT(features) == EBPF_FEATURE_COUNT, "one row per feature");

/* A dotted name is one of a group. */
static bool is_grouped(const char *name)
{
	return strchr(name, '.') != NULL;
}

static int find_feature(const char *name, struct ebpf_error *err)
{
	const char *names[EBPF_FEATURE_COUNT], *nearest;

	for (int i = 0; i < EBPF_FEATURE_COUNT; i++) {
		if (!strcmp(features[i].name, name))
			return i;
		names[i] = features[i].name;
	}
	ebpf_fail(err, ENOENT, "feature '%s': there is no such feature", name);
	nearest = ebpf_nearest(name, names, EBPF_FEATURE_COUNT);
	if (nearest)
		ebpf_hint(err, "the nearest is '%s'", nearest);
	return -ENOENT;
}

static int answer(struct ebpf_kernel *kernel, enum ebpf_feature feature)
{
	struct ebpf_policy *policy;
	int result;

	if (kernel->masked[feature])
		return 0;
	if (kernel->answers[feature] != ANSWER_UNKNOWN)
		return kernel->answers[feature] == ANSWER_PRESENT;
	result = ebpf_policy_probe(features[feature].name, &policy);
	if (result)
		return result;
	result = features[feature].probe(kernel);
	ebpf_policy_set(policy);
	if (result >= 0)
		kernel->answers[feature] = result ? ANSWER_PRESENT : ANSWER_ABSENT;
	return result;
}

bool ebpf_kernel_supports(struct ebpf_kernel *kernel, enum ebpf_feature feature)
{
	return answer(kernel, feature) == 1;
}

bool ebpf_kernel_lacks(const struct ebpf_kernel *kernel, enum ebpf_feature feature)
{
	return kernel->masked[feature] || kernel->answers[feature] == ANSWER_ABSENT;
}

bool ebpf_kernel_masked(const struct ebpf_kernel *kernel, enum ebpf_feature feature)
{
	return kernel->masked[feature];
}

int ebpf_kernel_has(struct ebpf_kernel *kernel, const char *feature, struct ebpf_error *err)
{
	int index = is_grouped(feature) ? ebpf_group_check(feature, err) : find_feature(feature, err), result;

	if (index < 0)
		return index;
	result = is_grouped(feature) ? ebpf_group_answer(kernel, feature, err) : answer(kernel, (enum ebpf_feature)index);
	return result < 0 ? ebpf_feature_fail(kernel, feature, result, err) : result;
}

/* memcg_account is what the explanation itself asks for. */
int ebpf_feature_fail(struct ebpf_kernel *kernel, const char *feature, int code, struct ebpf_error *err)
{
	char why[256];

	ebpf_fail_errno(err, code, "feature '%s': could not find out", feature);
	if (err && code == -EPERM && strcmp(feature, "memcg_account") != 0) {
		ebpf_kernel_explain_eperm(kernel, why, sizeof why);
		ebpf_hint(err, "%s", why);
	}
	return code;
}

int ebpf_kernel_mask(struct ebpf_kernel *kernel, const char *feature, bool masked, struct ebpf_error *err)
{
	int index;

	if (is_grouped(feature))
		return ebpf_mask_set(kernel, feature, masked, err);
	index = find_feature(feature, err);
	if (index < 0)
		return index;
	kernel->masked[index] = masked;
	return 0;
}

int ebpf_kernel_feature(size_t index, const char **name, const char **since)
{
	if (index >= EBPF_FEATURE_COUNT)
		return -ENOENT;
	*name = features[index].name;
	*since = features[index].since;
	return 0;
}

const char *ebpf_feature_name(enum ebpf_feature feature)
{
	return features[feature].name;
}

const char *ebpf_feature_since(enum ebpf_feature feature)
{
	return features[feature].since;
}
