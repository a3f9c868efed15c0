/* kprobe.c -- programs of type kprobe on (almost) any kernel instruction, on the return of functions, and on system
 * calls by name.
 *
 * Chain: kprobe PMU + BPF_LINK_CREATE (5.15) -> kprobe PMU + PERF_EVENT_IOC_SET_BPF (4.17) -> an event in tracefs
 * (4.1).
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "link/link.h"

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("symbol", symbol, 1),
	EBPF_LINK_OPTION("offset", offset, 0),
	EBPF_LINK_OPTION("address", kprobe.address, 0),
	EBPF_LINK_OPTION("ret", ret, 0),
	EBPF_LINK_OPTION("max_active", kprobe.max_active, 0),
	EBPF_LINK_OPTION("cookie", cookie, 0),
	EBPF_LINK_OPTION("attach_mode", attach_mode, 0),
	{ 0 },
};
static const char *const aliases[] = { "kretprobe", "ksyscall", "kretsyscall", NULL };

static bool is_symbol(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("_.:$", text[i]))
			return false;
	return length > 0;
}

/* "func", "func+0x10", "module:func" */
static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	char *plus, *end;

	if (extra) {
		if ((size_t)snprintf(storage, size, "%s", extra) >= size)
			return ebpf_fail(err, ENAMETOOLONG, "section '%s': the name is too long", program->section);
		plus = strchr(storage, '+');
		if (plus) {
			*plus = '\0';
			out->offset = strtoull(plus + 1, &end, 0);
			if (end == plus + 1 || *end || !isdigit((unsigned char)plus[1]))
				return ebpf_fail(err, EINVAL, "section '%s': '%s' is no offset", program->section,
						 plus + 1);
		}
		if (!is_symbol(storage, strlen(storage)))
			return ebpf_fail(err, EINVAL, "section '%s': '%s' is no name of a function", program->section,
					 storage);
		out->symbol = storage;
	}
	if (out->symbol || out->kprobe.address)
		return 1;
	ebpf_fail(err, EINVAL, "its section names no function");
	ebpf_hint(err, "write SEC(\"kprobe/function\"), or give the option symbol");
	return 0;
}

/* Linux 6.12 says EINVAL of an unknown symbol in tracefs; the list of symbols tells it from one that may not be
 * probed. */
static bool is_unknown(struct ebpf_link *link, const char *name)
{
	uint64_t address;

	return name && !strchr(name, ':') && ebpf_kernel_symbols(link->kernel, &name, &address, 1, NULL) == 0 &&
	       !address;
}

static int explain(struct ebpf_link *link, const struct ebpf_probe *probe, int code, struct ebpf_error *err)
{
	const char *nearest;

	if (code != -EPERM && !ebpf_kernel_supports(link->kernel, EBPF_FEATURE_KPROBE)) {
		ebpf_fail(err, ENOTSUP, "%s: kprobes are not in this kernel (CONFIG_KPROBE_EVENTS)", link->target);
		ebpf_hint(err, "a tracepoint or a raw tracepoint may show the same");
		return -ENOTSUP;
	}
	if (code == -EINVAL && is_unknown(link, probe->name))
		code = -ENOENT;
	switch (code) {
	case -ENOENT:
		if (!probe->name)
			break;
		ebpf_fail(err, ENOENT, "%s: there is no such function in this kernel", link->target);
		nearest = ebpf_kernel_nearest_type(link->kernel, "", probe->name, BTF_KIND_FUNC);
		if (ebpf_starts_with(probe->name, "sys_") || ebpf_starts_with(probe->name, "__x64_sys_"))
			ebpf_hint(err, "for a system call, attach as ksyscall with its bare name");
		else if (nearest)
			ebpf_hint(err, "the nearest is '%s'", nearest);
		break;
	case -EADDRNOTAVAIL:
		ebpf_fail(err, code, "%s: several functions of this kernel have this name", link->target);
		ebpf_hint(err, "give the address of the one that is meant");
		break;
	case -EILSEQ:
		ebpf_fail(err, code, "%s: no instruction starts at this offset", link->target);
		break;
	case -ERANGE:
		ebpf_fail(err, code, "%s: the offset is beyond the end of the function", link->target);
		break;
	case -EINVAL:
		ebpf_hint(err, "some functions may not be probed (notrace, __kprobes): see "
			  "/sys/kernel/debug/kprobes/blacklist");
		break;
	}
	return code;
}

static int set_target(struct ebpf_link *link, const struct ebpf_probe *probe, struct ebpf_error *err)
{
	const char *word = probe->ret ? "kretprobe" : "kprobe";

	if (!probe->name)
		return ebpf_link_set_target(link, err, "%s 0x%llx", word, (unsigned long long)probe->offset);
	if (probe->offset)
		return ebpf_link_set_target(link, err, "%s %s+0x%llx", word, probe->name,
					    (unsigned long long)probe->offset);
	return ebpf_link_set_target(link, err, "%s %s", word, probe->name);
}

static int check(const struct ebpf_link_options *given, const struct ebpf_probe *probe, struct ebpf_error *err)
{
	if (!given->symbol && !given->kprobe.address)
		return ebpf_fail(err, EINVAL, "kprobe: a symbol or an address is needed");
	if (given->symbol && given->kprobe.address)
		return ebpf_fail(err, EINVAL, "kprobe %s: either a symbol or an address, not both", given->symbol);
	if (given->kprobe.address && given->offset)
		return ebpf_fail(err, EINVAL, "kprobe 0x%llx: an offset goes with a symbol only",
				 (unsigned long long)given->kprobe.address);
	if (given->symbol && !is_symbol(given->symbol, strlen(given->symbol)))
		return ebpf_fail(err, EINVAL, "kprobe: '%s' is no name of a function", given->symbol);
	if (probe->ret && given->offset)
		return ebpf_fail(err, EINVAL, "kretprobe %s: a return probe takes no offset", given->symbol);
	if (given->kprobe.max_active && !probe->ret)
		return ebpf_fail(err, EINVAL, "kprobe: max_active is of return probes alone");
	return 0;
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	struct ebpf_probe probe = { .name = given->symbol, .offset = given->symbol ? given->offset : given->kprobe.address,
				    .max_active = given->kprobe.max_active, .pid = -1 };
	enum ebpf_attach_mode mode;
	char wrapper[160];
	int result;

	probe.ret = given->ret || ebpf_starts_with(alias, "kret");
	result = check(given, &probe, err);
	if (!result)
		result = ebpf_attach_mode(given->attach_mode, &mode, err);
	if (result)
		return result;
	if (strstr(alias, "syscall") && given->symbol) {
		ebpf_kernel_syscall_name(link->kernel, given->symbol, wrapper, sizeof wrapper);
		probe.name = wrapper;
	}
	result = set_target(link, &probe, err);
	if (result)
		return result;
	result = ebpf_probe_open(link, &probe, mode, err);
	if (result)
		return explain(link, &probe, result, err);
	return ebpf_perf_attach(link, program, given->cookie, mode, err);
}

const struct ebpf_link_kind ebpf_kind_kprobe = {
	.name = "kprobe", .since = "4.1", .aliases = aliases, .options = options, .parse = parse, .attach = attach,
};
