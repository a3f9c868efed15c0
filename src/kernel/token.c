/* token.c -- BPF tokens (6.9): what who mounted a BPF file system delegated to processes of a user namespace, for the making of
 * maps, programs and types. A context that uses one gives it to each of these calls, those of probes included. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/context.h"

struct ebpf_token {
	unsigned refs;
	int fd;
	const struct ebpf_sys *sys;
	char *path;
};

static int create(const struct ebpf_sys *sys, const char *path)
{
	union bpf_attr attr;
	int folder = sys->openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0), fd, copy;

	if (folder < 0)
		return folder;
	memset(&attr, 0, sizeof attr);
	attr.token_create.bpffs_fd = (uint32_t)folder;
	fd = sys->bpf(BPF_TOKEN_CREATE, &attr, EBPF_ATTR_SIZE(token_create));
	sys->close(folder);
	if (fd < 0 || fd > 2)
		return fd;
	copy = sys->fcntl(fd, F_DUPFD_CLOEXEC, 3); /* 0 would mean that there is none */
	sys->close(fd);
	return copy;
}

static int explain(struct ebpf_kernel *kernel, const char *path, int code, struct ebpf_error *err)
{
	ebpf_fail_errno(err, code, "token: make one of '%s'", path);
	switch (code) {
	case -EINVAL:
		if (!ebpf_kernel_supports(kernel, EBPF_FEATURE_TOKEN)) {
			ebpf_fail(err, ENOTSUP, "token: this kernel (before 6.9) has no BPF tokens");
			return -ENOTSUP;
		}
		ebpf_hint(err, "it must be the root of a BPF file system");
		break;
	case -ENOENT:
		ebpf_hint(err, "there is no such folder, or nothing is delegated on this BPF file system: mount it with delegate_cmds, "
			  "delegate_maps, delegate_progs and delegate_attachs");
		break;
	case -EPERM:
		ebpf_hint(err, "this process must be in the user namespace that the file system belongs to, with CAP_BPF in it");
		break;
	case -EOPNOTSUPP:
		ebpf_hint(err, "in the first user namespace there is nothing to delegate: there capabilities count");
		break;
	}
	return code;
}

static int find(struct ebpf_kernel *kernel, char *path, size_t size, struct ebpf_error *err)
{
	struct ebpf_privileges have;

	ebpf_kernel_privileges(kernel, &have);
	if (!have.token[0]) {
		ebpf_fail(err, ENOENT, "token: no mounted BPF file system gives this process one");
		ebpf_hint(err, "%s", have.user_namespace ? "one must be mounted with delegate_cmds=… by who is privileged outside of this user namespace"
			  : "tokens are for processes in a user namespace; in the first one capabilities count");
		return -ENOENT;
	}
	snprintf(path, size, "%s", have.token);
	return 0;
}

int ebpf_token_open(struct ebpf_kernel *kernel, const char *path, struct ebpf_token **out, struct ebpf_error *err)
{
	char found[sizeof ((struct ebpf_privileges *)NULL)->token];
	struct ebpf_token *token;
	int fd;

	if (!path) {
		int code = find(kernel, found, sizeof found, err);

		if (code)
			return code;
		path = found;
	}
	fd = ebpf_kernel_masked(kernel, EBPF_FEATURE_TOKEN) ? -EINVAL : create(kernel->sys, path);
	if (fd < 0)
		return explain(kernel, path, fd, err);
	token = calloc(1, sizeof *token);
	if (token)
		token->path = ebpf_strdup(path);
	if (!token || !token->path) {
		free(token);
		kernel->sys->close(fd);
		return ebpf_fail_memory(err);
	}
	token->refs = 1;
	token->fd = fd;
	token->sys = kernel->sys;
	*out = token;
	return 0;
}

struct ebpf_token *ebpf_token_ref(struct ebpf_token *token)
{
	token->refs++;
	return token;
}

void ebpf_token_close(struct ebpf_token *token)
{
	if (!token || --token->refs)
		return;
	token->sys->close(token->fd);
	free(token->path);
	free(token);
}

const char *ebpf_token_path(const struct ebpf_token *token)
{
	return token->path;
}

static int query(const struct ebpf_token *token, struct bpf_token_info *info)
{
	union bpf_attr attr;

	memset(info, 0, sizeof *info);
	memset(&attr, 0, sizeof attr);
	attr.info.bpf_fd = (uint32_t)token->fd;
	attr.info.info_len = sizeof *info;
	attr.info.info = ebpf_ptr(info);
	return token->sys->bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, EBPF_ATTR_SIZE(info));
}

int ebpf_token_info(const struct ebpf_token *token, struct ebpf_token_info *out, struct ebpf_error *err)
{
	struct bpf_token_info info;
	int code = query(token, &info);

	if (code < 0) {
		ebpf_fail_errno(err, code, "token '%s': info", token->path);
		if (code == -EINVAL)
			ebpf_hint(err, "the kernel tells what a token allows since 6.17");
		return code;
	}
	*out = (struct ebpf_token_info){ info.allowed_cmds, info.allowed_maps, info.allowed_progs, info.allowed_attachs };
	return 0;
}

void ebpf_kernel_use_token(struct ebpf_kernel *kernel, struct ebpf_token *token)
{
	struct ebpf_token *old = kernel->token;

	kernel->token = token ? ebpf_token_ref(token) : NULL;
	ebpf_token_close(old);
}

struct ebpf_token *ebpf_kernel_token(const struct ebpf_kernel *kernel)
{
	return kernel->token;
}

void ebpf_kernel_add_token(const struct ebpf_kernel *kernel, enum bpf_cmd cmd, union bpf_attr *attr, size_t *size)
{
	size_t needed = 0;

	if (!kernel->token)
		return;
	switch ((int)cmd) {
	case BPF_MAP_CREATE:
		attr->map_flags |= BPF_F_TOKEN_FD;
		attr->map_token_fd = kernel->token->fd;
		needed = EBPF_ATTR_SIZE(map_token_fd);
		break;
	case BPF_PROG_LOAD:
		attr->prog_flags |= BPF_F_TOKEN_FD;
		attr->prog_token_fd = kernel->token->fd;
		needed = EBPF_ATTR_SIZE(prog_token_fd);
		break;
	case BPF_BTF_LOAD:
		attr->btf_flags |= BPF_F_TOKEN_FD;
		attr->btf_token_fd = kernel->token->fd;
		needed = EBPF_ATTR_SIZE(btf_token_fd);
		break;
	}
	*size = *size < needed ? needed : *size;
}

int ebpf_kernel_create(const struct ebpf_kernel *kernel, enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	ebpf_kernel_add_token(kernel, cmd, attr, &size);
	return kernel->sys->bpf(cmd, attr, size);
}

static bool lacks(uint64_t allowed, uint32_t number)
{
	return number >= 64 || !(allowed >> number & 1);
}

static const char *name_of(enum ebpf_enum which, uint32_t number)
{
	const char *name = ebpf_enum_name(which, number);

	return name ? name : "unknown";
}

void ebpf_kernel_explain_token(const struct ebpf_kernel *kernel, enum bpf_cmd cmd, uint32_t type, uint32_t attach_type, char *text,
			       size_t size)
{
	const char *path = kernel->token ? kernel->token->path : "";
	struct bpf_token_info info;

	text[0] = '\0';
	if (!kernel->token)
		return;
	if (query(kernel->token, &info) < 0)
		snprintf(text, size, "the BPF token of '%s' may not allow it (this kernel does not tell)", path);
	else if (lacks(info.allowed_cmds, (uint32_t)cmd))
		snprintf(text, size, "the BPF token of '%s' does not allow %s (delegate_cmds=%s)", path,
			 cmd == BPF_MAP_CREATE ? "making maps" : cmd == BPF_PROG_LOAD ? "loading programs" : "loading types",
			 cmd == BPF_MAP_CREATE ? "map_create" : cmd == BPF_PROG_LOAD ? "prog_load" : "btf_load");
	else if (cmd == BPF_MAP_CREATE && lacks(info.allowed_maps, type))
		snprintf(text, size, "the BPF token of '%s' does not allow maps of type '%s' (delegate_maps)", path,
			 name_of(EBPF_MAP_TYPE, type));
	else if (cmd == BPF_PROG_LOAD && lacks(info.allowed_progs, type))
		snprintf(text, size, "the BPF token of '%s' does not allow programs of type '%s' (delegate_progs)", path,
			 name_of(EBPF_PROGRAM_TYPE, type));
	else if (cmd == BPF_PROG_LOAD && lacks(info.allowed_attachs, attach_type))
		snprintf(text, size, "the BPF token of '%s' does not allow attach type '%s' (delegate_attachs)", path,
			 name_of(EBPF_ATTACH_TYPE, attach_type));
	else
		snprintf(text, size, "the BPF token of '%s' allows it; this process may lack a capability in its user namespace", path);
}
