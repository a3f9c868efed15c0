/* socket.c -- a program on one socket: a filter of what it receives (socket_filter, 3.19), or the choice among the sockets
 * of its SO_REUSEPORT group (reuseport, 4.5; programs of type sk_reuseport 4.19; taken off again 5.3).
 *
 * By setsockopt(2) alone: the kernel has no links for them. The link keeps the socket open, since only through it the
 * program can be taken off.
 */
#include <stdio.h>
#include <sys/socket.h>

#include "link/link.h"

/* The numbers, where headers are older (SO_DETACH_REUSEPORT_BPF). They are those of asm-generic, which sparc, mips, alpha
 * and parisc do not have. */
#ifndef SO_DETACH_REUSEPORT_BPF
#define SO_DETACH_REUSEPORT_BPF 68
#endif

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("socket_fd", socket.fd, 1),
	{ 0 },
};

static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage,
		 size_t size, struct ebpf_error *err)
{
	(void)program, (void)extra, (void)storage, (void)size;
	if (out->socket.fd)
		return 1;
	ebpf_fail(err, EINVAL, "it needs to know its socket");
	ebpf_hint(err, "give the option socket_fd");
	return 0;
}

static bool is_reuseport(const struct ebpf_link *link)
{
	return !strcmp(link->kind->name, "reuseport");
}

static int set_option(struct ebpf_link *link, int name, int value)
{
	return ebpf_kernel_sys(link->kernel)->setsockopt(link->socket_fd, SOL_SOCKET, name, &value, sizeof value);
}

static int set_program(struct ebpf_link *link, int program_fd)
{
	return set_option(link, is_reuseport(link) ? SO_ATTACH_REUSEPORT_EBPF : SO_ATTACH_BPF, program_fd);
}

static int take_off(struct ebpf_link *link, struct ebpf_error *err)
{
	int result = set_option(link, is_reuseport(link) ? SO_DETACH_REUSEPORT_BPF : SO_DETACH_BPF, 0);

	if (result && result != -ENOENT) {
		ebpf_link_fail(link, result, err);
		if (result == -ENOPROTOOPT)
			ebpf_hint(err, "taking a program off a group needs Linux 5.3; it goes with the last socket of the group");
		return result;
	}
	return 0;
}

static int update(struct ebpf_link *link, struct ebpf_program *program, struct ebpf_error *err)
{
	return ebpf_link_replace_kept(link, program, set_program, err);
}

static int explain(struct ebpf_link *link, const struct ebpf_program *program, int code, struct ebpf_error *err)
{
	ebpf_link_fail(link, code, err);
	switch (code) {
	case -ENOTSOCK: case -EBADF:
		ebpf_hint(err, "socket_fd must be the descriptor of a socket");
		break;
	case -EINVAL:
		if (is_reuseport(link))
			ebpf_hint(err, "the socket must have SO_REUSEPORT, and the program be of type sk_reuseport or "
				  "socket_filter, not %s", ebpf_enum_name(EBPF_PROGRAM_TYPE, program->type));
		else
			ebpf_hint(err, "the program must be of type socket_filter, not %s",
				  ebpf_enum_name(EBPF_PROGRAM_TYPE, program->type));
		break;
	case -EPERM:
		if (!is_reuseport(link))
			ebpf_hint(err, "the filter of this socket was locked (SO_LOCK_FILTER)");
		break;
	}
	return code;
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given,
		  struct ebpf_link *link, struct ebpf_error *err)
{
	int result;

	(void)alias;
	if (given->socket.fd <= 0)
		return ebpf_fail(err, EINVAL, "%s: a socket_fd is needed", link->kind->name);
	result = ebpf_link_set_target(link, err, "%s of socket %d", link->kind->name, given->socket.fd);
	if (result)
		return result;
	link->socket_fd = ebpf_link_keep_fd(link, given->socket.fd);
	link->program_fd_kept = ebpf_link_keep_fd(link, program->fd);
	if (link->socket_fd < 0 || link->program_fd_kept < 0)
		return explain(link, program, link->socket_fd < 0 ? link->socket_fd : link->program_fd_kept, err);
	result = set_program(link, program->fd);
	if (result)
		return explain(link, program, result, err);
	link->attach_type = program->attach_type;
	link->interface = "socket";
	link->undo = take_off;
	return 0;
}

const struct ebpf_link_kind ebpf_kind_socket_filter = {
	.name = "socket_filter", .since = "3.19", .options = options, .parse = parse, .attach = attach, .update = update,
};
const struct ebpf_link_kind ebpf_kind_reuseport = {
	.name = "reuseport", .since = "4.5", .options = options, .parse = parse, .attach = attach, .update = update,
};
