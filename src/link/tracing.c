/* tracing.c -- programs whose target is a type of the kernel, chosen when they were loaded: fentry, fexit, fmod_ret,
 * tp_btf, LSM hooks; and freplace, which takes the place of a function of another program.
 *
 * Chain: BPF_LINK_CREATE (5.19; freplace 5.10) -> BPF_RAW_TRACEPOINT_OPEN (5.5, without a cookie).
 */
#include <stdio.h>

#include "link/link.h"

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("cookie", cookie, 0),
	EBPF_LINK_OPTION("target_fd", target_fd, 0),
	EBPF_LINK_OPTION("symbol", symbol, 0),
	{ 0 },
};
static const char *const aliases[] = { "fentry", "fexit", "fmod_ret", "fsession", "tp_btf", "lsm", "freplace", NULL };

/* What the attach type is called in sections. */
static const struct form {
	const char *word;
	uint32_t program_type, attach_type;
} forms[] = {
	{ "fentry", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY },
	{ "fexit", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT },
	{ "fmod_ret", BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN },
	{ "fsession", BPF_PROG_TYPE_TRACING, BPF_TRACE_FSESSION },
	{ "tp_btf", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP },
	{ "lsm", BPF_PROG_TYPE_LSM, BPF_LSM_MAC },
	{ "freplace", BPF_PROG_TYPE_EXT, 0 },
};

static const struct form *form_of(const struct ebpf_program *program)
{
	for (size_t i = 0; i < EBPF_COUNT(forms); i++)
		if (forms[i].program_type == program->type && forms[i].attach_type == program->attach_type)
			return &forms[i];
	return NULL;
}

/* The section has been used up when the program was loaded. */
static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	(void)program, (void)extra, (void)out, (void)storage, (void)size, (void)err;
	return 1;
}

/* The type of function `name` in the program that is to be changed. */
static int find_target(struct ebpf_link *link, int target_fd, const char *name, uint32_t *type_id,
		       struct ebpf_error *err)
{
	struct bpf_prog_info info = { 0 };
	struct ebpf_btf *btf = NULL;
	union bpf_attr attr;
	int64_t id;
	int result;

	if (!ebpf_link_fd_is(target_fd, "bpf-prog"))
		return ebpf_fail(err, EINVAL, "%s: target_fd %d is not the descriptor of a program", link->target,
				 target_fd);
	memset(&attr, 0, sizeof attr);
	attr.info.bpf_fd = (uint32_t)target_fd;
	attr.info.info_len = sizeof info;
	attr.info.info = ebpf_ptr(&info);
	result = ebpf_kernel_sys(link->kernel)->bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, EBPF_ATTR_SIZE(info));
	if (result)
		return ebpf_fail_errno(err, result, "%s: target_fd %d", link->target, target_fd);
	if (!info.btf_id)
		return ebpf_fail(err, EINVAL, "%s: the target program '%.16s' was loaded without types", link->target,
				 info.name);
	result = ebpf_kernel_btf_by_id(link->kernel, info.btf_id, &btf, err);
	if (result)
		return ebpf_wrap(err, result, "%s", link->target);
	id = ebpf_btf_find_kind(btf, name, BTF_KIND_FUNC);
	ebpf_btf_free(btf);
	if (id < 0)
		return ebpf_fail(err, ENOENT, "%s: the target program '%.16s' has no function '%s'", link->target,
				 info.name, name);
	*type_id = (uint32_t)id;
	return 0;
}

static int open_raw(struct ebpf_link *link, const struct ebpf_program *program)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof attr);
	attr.raw_tracepoint.prog_fd = (uint32_t)program->fd;
	fd = ebpf_kernel_sys(link->kernel)->bpf(BPF_RAW_TRACEPOINT_OPEN, &attr, EBPF_ATTR_SIZE(raw_tracepoint));
	if (fd < 0)
		return fd;
	link->fd = fd;
	link->interface = "raw";
	return 0;
}

static int explain(struct ebpf_link *link, int code, struct ebpf_error *err)
{
	ebpf_link_fail(link, code, err);
	switch (code) {
	case -ENOENT:
		ebpf_hint(err, "before Linux 5.13 such a program can be attached once only: load it again");
		break;
	case -EBUSY:
		ebpf_hint(err, "this program is attached already, or another program that changes the return value is");
		break;
	case -E2BIG:
		ebpf_hint(err, "the function has as many programs as it can take (38)");
		break;
	case -ENOTSUP: case -524:
		ebpf_hint(err,
			  "this kernel cannot attach to functions on this architecture (arm64 can since Linux 6.0)");
		break;
	}
	return code == -524 ? -ENOTSUP : code;
}

/* A cookie that the kernel would not know, or (tp_btf from 5.19 to 6.9) drop without a word. */
static int check_cookie(struct ebpf_link *link, const struct ebpf_program *program, struct ebpf_error *err)
{
	bool tracepoint = program->type == BPF_PROG_TYPE_TRACING && program->attach_type == BPF_TRACE_RAW_TP;
	enum ebpf_feature feature = tracepoint ? EBPF_FEATURE_RAW_TP_COOKIE : EBPF_FEATURE_TRACING_LINK;

	if (ebpf_kernel_supports(link->kernel, feature))
		return 0;
	return ebpf_fail(err, ENOTSUP, "%s: a cookie needs Linux %s", link->target, ebpf_feature_since(feature));
}

static int check(struct ebpf_link *link, const struct ebpf_program *program, const struct form *form, const char *alias,
		 const struct ebpf_link_options *given, struct ebpf_error *err)
{
	const char *type = ebpf_enum_name(EBPF_ATTACH_TYPE, program->attach_type);

	if (!form)
		return ebpf_fail(err, EINVAL, "tracing: a program of type %s and attach type %s is none of its",
				 ebpf_enum_name(EBPF_PROGRAM_TYPE, program->type), type ? type : "unknown");
	if (strcmp(alias, link->kind->name) != 0 && strcmp(alias, form->word) != 0)
		return ebpf_fail(err, EINVAL, "%s: the program was loaded for %s", alias, form->word);
	if ((given->target_fd || given->symbol) && program->type != BPF_PROG_TYPE_EXT) {
		ebpf_fail(err, EINVAL, "%s: target_fd and symbol are for freplace alone", form->word);
		ebpf_hint(err, "the target of such a program is chosen when it is loaded");
		return -EINVAL;
	}
	return 0;
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	const struct form *form = form_of(program);
	const char *name = given->symbol ? given->symbol : program->attach_to;
	uint32_t type_id = 0;
	union bpf_attr attr;
	int result = check(link, program, form, alias, given, err);

	if (!result)
		result = ebpf_link_set_target(link, err, "%s %s", form->word, name ? name : program->name);
	if (!result && given->cookie)
		result = check_cookie(link, program, err);
	if (!result && given->target_fd && !name)
		result = ebpf_fail(err, EINVAL,
				   "freplace: the function to replace is not known: give the option symbol");
	if (!result && given->target_fd)
		result = find_target(link, given->target_fd, name, &type_id, err);
	if (result)
		return result;
	link->attach_type = program->attach_type;
	memset(&attr, 0, sizeof attr);
	attr.link_create.prog_fd = (uint32_t)program->fd;
	attr.link_create.target_fd = (uint32_t)given->target_fd;
	attr.link_create.attach_type = program->attach_type;
	/* both are at the same place: target_btf_id of 5.10 became the first member of `tracing` */
	attr.link_create.tracing.target_btf_id = type_id;
	attr.link_create.tracing.cookie = given->cookie;
	result = -EINVAL;
	if (!ebpf_kernel_masked(link->kernel, EBPF_FEATURE_TRACING_LINK) || given->target_fd)
		result = ebpf_link_create(link, &attr);
	if ((result == -EINVAL || result == -E2BIG) && !given->cookie && !given->target_fd)
		result = open_raw(link, program);
	return result ? explain(link, result, err) : 0;
}

const struct ebpf_link_kind ebpf_kind_tracing = {
	.name = "tracing", .since = "5.5", .aliases = aliases, .options = options, .parse = parse, .attach = attach,
};
