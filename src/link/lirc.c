/* lirc.c -- decoders of infrared signals, programs of type lirc_mode2 on a receiver.
 *
 * Chain: BPF_PROG_ATTACH (4.18). The kernel has no links for them.
 */
#include <fcntl.h>
#include <stdio.h>

#include "link/link.h"

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("path", path, 1),
	EBPF_LINK_OPTION("target_fd", target_fd, 0),
	{ 0 },
};
static const char *const aliases[] = { "lirc_mode2", NULL };

static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	(void)program, (void)extra, (void)storage, (void)size;
	if (out->path || out->target_fd)
		return 1;
	ebpf_fail(err, EINVAL, "it needs to know its receiver");
	ebpf_hint(err, "give the option path (\"/dev/lirc0\")");
	return 0;
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	int result;

	(void)alias;
	if (!given->path == (given->target_fd <= 0))
		return ebpf_fail(err, EINVAL, "lirc: a path (\"/dev/lirc0\") or a target_fd is needed");
	result = given->path ? ebpf_link_set_target(link, err, "lirc %s", given->path)
			     : ebpf_link_set_target(link, err, "lirc descriptor %d", given->target_fd);
	if (result)
		return result;
	link->attach_type = BPF_LIRC_MODE2;
	link->target_fd = given->path ? ebpf_kernel_sys(link->kernel)->openat(AT_FDCWD, given->path, O_RDWR | O_CLOEXEC, 0)
				      : ebpf_link_keep_fd(link, given->target_fd);
	if (link->target_fd < 0)
		return ebpf_link_fail(link, link->target_fd, err);
	result = ebpf_link_attach_kept(link, program, 0);
	if (result) {
		ebpf_link_fail(link, result, err);
		if (result == -EINVAL)
			ebpf_hint(err, "it must be a receiver of raw signals, and the kernel have CONFIG_BPF_LIRC_MODE2");
		return result;
	}
	return 0;
}

const struct ebpf_link_kind ebpf_kind_lirc = {
	.name = "lirc", .since = "4.18", .aliases = aliases, .options = options, .parse = parse, .attach = attach,
};
