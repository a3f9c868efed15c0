/* policy.c -- which system calls are privileged steps, and what they are about to do, in words. */
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"
#include "ebpf.h"
#include "sys/policy.h"

#define SO_ATTACH_BPF_NUMBER 50            /* the same on all architectures that have bpf(2) but for a few old ones */
#define SO_ATTACH_REUSEPORT_EBPF_NUMBER 52

/* The one thing that is neither a caller's nor an object's: it is about all that a thread does while somebody else's code (a script) runs in it. */
static _Thread_local struct ebpf_policy *current;
static _Thread_local const char *intent;
/* Of what is done in several attempts: the kinds that were refused, and what was granted. */
static _Thread_local struct {
	unsigned depth, refused, count;
	uint64_t granted[16];
} attempts;
static _Thread_local struct {
	uint32_t type;
	char name[BPF_OBJ_NAME_LEN + 1];
} unread; /* the program that was last refused to read kernel memory */

struct ebpf_policy *ebpf_policy_set(struct ebpf_policy *policy)
{
	struct ebpf_policy *previous = current;

	current = policy;
	return previous;
}

void ebpf_policy_begin(void)
{
	if (!attempts.depth++)
		attempts.refused = attempts.count = 0;
}

void ebpf_policy_end(void)
{
	attempts.depth--;
}

void ebpf_policy_intend(const char *text)
{
	if (text && !intent)
		ebpf_policy_begin();
	else if (!text && intent)
		ebpf_policy_end();
	intent = text;
}

/* -- asking -- */

/* FNV-1a, 64 bits */
static uint64_t hash_of(const struct ebpf_step *step)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) + (unsigned)step->kind;

	for (const char *c = step->what; *c; c++)
		hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
	return hash;
}

static bool is_granted(uint64_t hash)
{
	for (unsigned i = 0; attempts.depth && i < attempts.count; i++)
		if (attempts.granted[i] == hash)
			return true;
	return false;
}

/* The same by another interface, or an older helper, after it was refused. */
static bool is_refused(const struct ebpf_policy *policy, const struct ebpf_step *step)
{
	if (attempts.depth && attempts.refused >> step->kind & 1)
		return true;
	return step->kind == EBPF_STEP_READ_KERNEL && policy->refused[0] && step->name[0] && step->type == unread.type &&
	       !strcmp(step->name, unread.name);
}

static void note(const struct ebpf_step *step, uint64_t hash, bool refused)
{
	if (refused && attempts.depth)
		attempts.refused |= 1U << step->kind;
	else if (!refused && attempts.depth && attempts.count < EBPF_COUNT(attempts.granted))
		attempts.granted[attempts.count++] = hash;
	if (refused && step->kind == EBPF_STEP_READ_KERNEL) {
		unread.type = step->type;
		snprintf(unread.name, sizeof(unread.name), "%s", step->name);
	}
}

static bool asks(enum ebpf_step_kind kind)
{
	const bool has_kinds = current->size >= offsetof(struct ebpf_policy, kinds) + sizeof(current->kinds);

	return !has_kinds || !current->kinds || current->kinds >> kind & 1;
}

/* Fills in `what`. */
static int ask_step(struct ebpf_step *step, const char *format, va_list arguments)
{
	struct ebpf_policy *policy = current;
	char what[sizeof(policy->refused)];
	uint64_t hash;
	int refused;

	if (!asks(step->kind))
		return 0;
	vsnprintf(what, sizeof(what), format, arguments);
	step->size = sizeof(*step);
	step->what = what;
	hash = hash_of(step);
	if (is_refused(policy, step))
		return -EPERM;
	if (is_granted(hash))
		return 0;
	current = NULL; /* what the host does to find its answer is its own affair */
	refused = policy->ask(policy->context, step);
	current = policy;
	note(step, hash, refused);
	if (!refused)
		return 0;
	memcpy(policy->refused, what, sizeof(what));
	return -EPERM;
}

static int ask_about(struct ebpf_step *step, const char *format, ...) EBPF_PRINTF(2, 3);

static int ask_about(struct ebpf_step *step, const char *format, ...)
{
	va_list arguments;
	int result;

	va_start(arguments, format);
	result = ask_step(step, format, arguments);
	va_end(arguments);
	return result;
}

static int ask(enum ebpf_step_kind kind, const char *name, uint32_t type, uint32_t attach_type, const char *target, const char *format, ...)
	EBPF_PRINTF(6, 7);

static int ask(enum ebpf_step_kind kind, const char *name, uint32_t type, uint32_t attach_type, const char *target, const char *format, ...)
{
	struct ebpf_step step = { .kind = kind, .name = name, .type = type, .attach_type = attach_type, .target = target ? target : "" };
	va_list arguments;
	int result;

	va_start(arguments, format);
	result = ask_step(&step, format, arguments);
	va_end(arguments);
	return result;
}

static const char *text_of(enum ebpf_enum which, uint32_t value)
{
	const char *name = ebpf_enum_name(which, value);

	return name ? name : "of an unknown type";
}

/* -- what a descriptor is: unasked, hence not through the table -- */

static long info_of(uint32_t fd, void *info, uint32_t size)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = fd;
	attr.info.info_len = size;
	attr.info.info = ebpf_ptr(info);
	return syscall(__NR_bpf, (long)BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
}

static struct bpf_prog_info program_info(uint32_t fd)
{
	struct bpf_prog_info info;

	memset(&info, 0, sizeof(info));
	if (info_of(fd, &info, sizeof(info)))
		info.type = UINT32_MAX;
	info.name[sizeof(info.name) - 1] = '\0';
	return info;
}

static struct bpf_map_info map_info(uint32_t fd)
{
	struct bpf_map_info info;

	memset(&info, 0, sizeof(info));
	if (info_of(fd, &info, sizeof(info)))
		info.type = UINT32_MAX;
	info.name[sizeof(info.name) - 1] = '\0';
	return info;
}

/* -- bpf(2) -- */

/* The first helper that a program reads kernel memory with: 0 for none. */
static uint32_t reads_kernel_memory(const union bpf_attr *attr)
{
	static const char *const readers[] = { "probe_read", "probe_read_str", "probe_read_kernel", "probe_read_kernel_str" };
	const uint8_t *insns = (const uint8_t *)(uintptr_t)attr->insns;

	for (uint32_t i = 0; insns && i < attr->insn_cnt; i++) {
		const uint8_t *insn = insns + (size_t)i * 8;
		int32_t helper;

		memcpy(&helper, insn + 4, sizeof(helper));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		bool calls = insn[0] == 0x85 && !(insn[1] & 0xf0);
#else
		bool calls = insn[0] == 0x85 && !(insn[1] & 0x0f);
#endif
		for (size_t j = 0; calls && j < EBPF_COUNT(readers); j++)
			if (ebpf_enum_value(EBPF_HELPER, readers[j]) == helper)
				return (uint32_t)helper;
	}
	return 0;
}

/* Types whose programs follow the kernel's pointers with plain loads. */
static bool is_given_pointers(const union bpf_attr *attr)
{
	switch (attr->prog_type) {
	case BPF_PROG_TYPE_TRACING:
	case BPF_PROG_TYPE_LSM:
	case BPF_PROG_TYPE_STRUCT_OPS:
	case BPF_PROG_TYPE_EXT:
		return true;
	}
	return false;
}

static int ask_load(const union bpf_attr *attr)
{
	char name[sizeof(attr->prog_name) + 1];
	uint32_t helper;
	int refused;

	snprintf(name, sizeof(name), "%.*s", (int)sizeof(attr->prog_name), attr->prog_name);
	refused = ask(EBPF_STEP_LOAD, name, attr->prog_type, attr->expected_attach_type, intent, "load program '%s' (%s, %u instructions)", name,
		      text_of(EBPF_PROGRAM_TYPE, attr->prog_type), attr->insn_cnt);
	if (refused)
		return refused;
	helper = reads_kernel_memory(attr);
	if (helper)
		return ask(EBPF_STEP_READ_KERNEL, name, attr->prog_type, attr->expected_attach_type, ebpf_enum_name(EBPF_HELPER, helper),
			   "let program '%s' (%s) read kernel memory, by the helper %s", name, text_of(EBPF_PROGRAM_TYPE, attr->prog_type),
			   ebpf_enum_name(EBPF_HELPER, helper));
	if (is_given_pointers(attr))
		return ask(EBPF_STEP_READ_KERNEL, name, attr->prog_type, attr->expected_attach_type, NULL,
			   "let program '%s' (%s) read kernel memory, through typed pointers", name, text_of(EBPF_PROGRAM_TYPE, attr->prog_type));
	return 0;
}

static int ask_create(const union bpf_attr *attr)
{
	char name[sizeof(attr->map_name) + 1];
	struct ebpf_step step = { .kind = EBPF_STEP_CREATE_MAP, .name = name, .type = attr->map_type, .target = "", .key_size = attr->key_size,
				  .value_size = attr->value_size, .max_entries = attr->max_entries, .map_flags = attr->map_flags };

	snprintf(name, sizeof(name), "%.*s", (int)sizeof(attr->map_name), attr->map_name);
	return ask_about(&step, "create map '%s' (%s, %u entries)", name, text_of(EBPF_MAP_TYPE, attr->map_type), attr->max_entries);
}

static int ask_write(uint32_t fd, const char *verb)
{
	struct bpf_map_info info;

	if (!asks(EBPF_STEP_WRITE_MAP)) /* without a look at each map */
		return 0;
	info = map_info(fd);
	return ask(EBPF_STEP_WRITE_MAP, info.name, info.type, 0, NULL, "%s map '%s' (%s)", verb, info.name, text_of(EBPF_MAP_TYPE, info.type));
}

static int ask_attach(uint32_t program, uint32_t attach_type, const char *target, const char *verb)
{
	struct bpf_prog_info info = program_info(program);
	const char *to = intent ? intent : target ? target : text_of(EBPF_ATTACH_TYPE, attach_type);

	return ask(EBPF_STEP_ATTACH, info.name, info.type, attach_type, to, "%s program '%s' (%s): %s", verb, info.name,
		   text_of(EBPF_PROGRAM_TYPE, info.type), to);
}

static int ask_link(const union bpf_attr *attr)
{
	struct bpf_map_info map;

	if (attr->link_create.attach_type != (uint32_t)ebpf_enum_value(EBPF_ATTACH_TYPE, "struct_ops"))
		return ask_attach(attr->link_create.prog_fd, attr->link_create.attach_type, NULL, "attach");
	map = map_info(attr->link_create.map_fd);
	return ask(EBPF_STEP_ATTACH, map.name, map.type, attr->link_create.attach_type, intent, "attach map '%s' (struct_ops)", map.name);
}

static int ask_pin(const char *path, const char *verb)
{
	return ask(EBPF_STEP_PIN, "", 0, 0, path, "%s %s", verb, path);
}

static int ask_open(const char *what, uint32_t id)
{
	return ask(EBPF_STEP_OPEN, "", 0, 0, NULL, "open %s %u", what, id);
}

int ebpf_policy_bpf(enum bpf_cmd cmd, const union bpf_attr *attr)
{
	const char *path = (const char *)(uintptr_t)attr->pathname;

	if (!current)
		return 0;
	switch ((int)cmd) {
	case BPF_PROG_LOAD:
		return ask_load(attr);
	case BPF_MAP_CREATE:
		return ask_create(attr);
	case BPF_BTF_LOAD:
		return ask(EBPF_STEP_LOAD, "", UINT32_MAX, 0, NULL, "load types (%u bytes of BTF)", attr->btf_size);
	case BPF_MAP_UPDATE_ELEM:
		return ask_write(attr->map_fd, "write to");
	case BPF_MAP_DELETE_ELEM:
	case BPF_MAP_LOOKUP_AND_DELETE_ELEM:
		return ask_write(attr->map_fd, "delete from");
	case BPF_MAP_UPDATE_BATCH:
		return ask_write(attr->batch.map_fd, "write to");
	case BPF_MAP_DELETE_BATCH:
	case BPF_MAP_LOOKUP_AND_DELETE_BATCH:
		return ask_write(attr->batch.map_fd, "delete from");
	case BPF_MAP_FREEZE:
		return ask_write(attr->map_fd, "freeze");
	case BPF_LINK_CREATE:
		return ask_link(attr);
	case BPF_PROG_ATTACH:
		return ask_attach(attr->attach_bpf_fd, attr->attach_type, NULL, "attach");
	case BPF_RAW_TRACEPOINT_OPEN:
		return ask_attach(attr->raw_tracepoint.prog_fd, 0, (const char *)(uintptr_t)attr->raw_tracepoint.name, "attach");
	case BPF_LINK_UPDATE:
		return ask_attach(attr->link_update.new_prog_fd, 0, "an existing link", "attach");
	case BPF_PROG_DETACH:
	case BPF_LINK_DETACH:
		return ask(EBPF_STEP_ATTACH, "", UINT32_MAX, 0, intent, "detach%s%s", intent ? ": " : "", intent ? intent : "");
	case BPF_PROG_RUN: {
		struct bpf_prog_info info = program_info(attr->test.prog_fd);

		return ask(EBPF_STEP_RUN, info.name, info.type, 0, NULL, "run program '%s' (%s)", info.name, text_of(EBPF_PROGRAM_TYPE, info.type));
	}
	case BPF_ITER_CREATE:
		return ask(EBPF_STEP_RUN, "", UINT32_MAX, 0, NULL, "run an iterator");
	case BPF_OBJ_PIN:
		return ask_pin(path, "pin as");
	case BPF_OBJ_GET:
		return ask(EBPF_STEP_OPEN, "", 0, 0, path, "open what is pinned as %s", path);
	case BPF_PROG_GET_FD_BY_ID:
		return ask_open("program", attr->prog_id);
	case BPF_MAP_GET_FD_BY_ID:
		return ask_open("map", attr->map_id);
	case BPF_LINK_GET_FD_BY_ID:
		return ask_open("link", attr->link_id);
	case BPF_MAP_LOOKUP_ELEM:
	case BPF_MAP_GET_NEXT_KEY:
	case BPF_MAP_LOOKUP_BATCH:
	case BPF_OBJ_GET_INFO_BY_FD:
	case BPF_PROG_QUERY:
	case BPF_TASK_FD_QUERY:
	case BPF_PROG_GET_NEXT_ID:
	case BPF_MAP_GET_NEXT_ID:
	case BPF_BTF_GET_NEXT_ID:
	case BPF_LINK_GET_NEXT_ID:
	case BPF_BTF_GET_FD_BY_ID:
	case BPF_PROG_BIND_MAP:
	case BPF_PROG_STREAM_READ_BY_FD:
		return 0; /* they change nothing, or nothing but what was allowed before */
	}
	return ask(EBPF_STEP_OTHER, "", (uint32_t)cmd, 0, NULL, "call bpf(2) with command %d", (int)cmd);
}

/* -- the others -- */

int ebpf_policy_perf_event(const struct perf_event_attr *attr)
{
	/* A perf buffer is how records come: it attaches nothing. */
	if (!current || (attr->type == PERF_TYPE_SOFTWARE && attr->config == PERF_COUNT_SW_BPF_OUTPUT))
		return 0;
	return ask(EBPF_STEP_ATTACH, "", UINT32_MAX, 0, intent, "open perf event %u:%llu%s%s", attr->type, (unsigned long long)attr->config,
		   intent ? " for " : "", intent ? intent : "");
}

int ebpf_policy_mmap(int prot, int flags, int fd)
{
	struct bpf_map_info info;

	if (!current || fd < 0 || !(prot & PROT_WRITE) || !(flags & MAP_SHARED))
		return 0;
	info = map_info((uint32_t)fd);
	/* What a reader writes there is how far it has read. */
	if (info.type == UINT32_MAX || info.type == BPF_MAP_TYPE_RINGBUF)
		return 0;
	return ask(EBPF_STEP_WRITE_MAP, info.name, info.type, 0, NULL, "write to map '%s' (%s), mapped", info.name,
		   text_of(EBPF_MAP_TYPE, info.type));
}

/* What the engine itself reads: what of it tells about the kernel's memory is asked about by name. */
static bool is_own_file(const char *path)
{
	static const char *const places[] = { "/sys/", "/proc/self/", "/proc/sys/", "/etc/ld.so.cache" };

	for (size_t i = 0; i < EBPF_COUNT(places); i++)
		if (!strncmp(path, places[i], strlen(places[i])))
			return !strstr(path, "/..");
	return false;
}

int ebpf_policy_open(int folder, const char *path, int flags)
{
	if (!current)
		return 0;
	if ((flags & O_ACCMODE) != O_RDONLY)
		return ask(intent || folder != AT_FDCWD ? EBPF_STEP_ATTACH : EBPF_STEP_WRITE_FILE, "", UINT32_MAX, 0, intent ? intent : path,
			   "write to %s%s%s", path, intent ? " for " : "", intent ? intent : "");
	if (!strcmp(path, "/proc/kallsyms") || !strcmp(path, "/proc/kcore"))
		return ask(EBPF_STEP_READ_KERNEL, "", UINT32_MAX, 0, path, "read %s", path);
	/* Within a folder of the engine's, or a name of what something is then attached to. */
	if (folder != AT_FDCWD || flags & (O_PATH | O_DIRECTORY) || is_own_file(path))
		return 0;
	return ask(EBPF_STEP_READ_FILE, "", UINT32_MAX, 0, path, "read %s%s%s", path, intent ? " for " : "", intent ? intent : "");
}

int ebpf_policy_read_file(const char *path, struct ebpf_error *err)
{
	int refused = ebpf_policy_open(AT_FDCWD, path, O_RDONLY);

	return refused ? ebpf_fail_errno(err, refused, "'%s'", path) : 0;
}

int ebpf_policy_probe(const char *feature, struct ebpf_policy **policy)
{
	int refused;

	*policy = current;
	if (!current)
		return 0;
	refused = ask(EBPF_STEP_PROBE, feature, UINT32_MAX, 0, NULL, "find out whether this kernel has %s", feature);
	if (!refused)
		current = NULL;
	return refused;
}

int ebpf_policy_descriptor(int fd)
{
	return current ? ask(EBPF_STEP_WRITE_FILE, "", UINT32_MAX, 0, NULL, "write to descriptor %d", fd) : 0;
}

int ebpf_policy_rename(const char *from, const char *to)
{
	return current ? ask(EBPF_STEP_PIN, "", 0, 0, to, "pin as %s what was %s", to, from) : 0;
}

int ebpf_policy_unlink(const char *path)
{
	return current ? ask_pin(path, "remove") : 0;
}

int ebpf_policy_ioctl(int fd, unsigned long request, unsigned long argument)
{
	(void)fd;
	if (!current || request != PERF_EVENT_IOC_SET_BPF)
		return 0;
	return ask_attach((uint32_t)argument, 0, "a perf event", "attach");
}

int ebpf_policy_setsockopt(int level, int name, const void *value, size_t size)
{
	uint32_t program = 0;

	if (!current || level != SOL_SOCKET || (name != SO_ATTACH_BPF_NUMBER && name != SO_ATTACH_REUSEPORT_EBPF_NUMBER))
		return 0;
	if (size >= sizeof(program))
		memcpy(&program, value, sizeof(program));
	return ask_attach(program, 0, "a socket", "attach");
}

/* Netlink's requests that look something up are those whose number, counted from 16 on, leaves 2 when divided by 4. */
int ebpf_policy_send(const void *data, size_t size)
{
	uint16_t type = 0;

	if (!current)
		return 0;
	if (size >= 6)
		memcpy(&type, (const uint8_t *)data + 4, sizeof(type));
	if (type < 16 || (type - 16) % 4 == 2)
		return 0;
	return ask(EBPF_STEP_ATTACH, "", UINT32_MAX, 0, intent, "send the netlink message %u%s%s", type, intent ? " for " : "",
		   intent ? intent : "");
}
