#include "base/base.h"
#include "base/uapi.h"

#define CASE(value, name) case value: return name;

const char *ebpf_enum_name(enum ebpf_enum which, uint32_t value)
{
	switch (which) {
	case EBPF_PROGRAM_TYPE:
		switch (value) { BPF_PROG_TYPES(CASE) }
		break;
	case EBPF_MAP_TYPE:
		switch (value) { BPF_MAP_TYPES(CASE) }
		break;
	case EBPF_ATTACH_TYPE:
		switch (value) { BPF_ATTACH_TYPES(CASE) }
		break;
	case EBPF_LINK_TYPE:
		switch (value) { BPF_LINK_TYPES(CASE) }
		break;
	case EBPF_HELPER:
		switch (value) { BPF_HELPERS(CASE) }
		break;
	case EBPF_BTF_KIND:
		switch (value) { BTF_KINDS(CASE) }
		break;
	case EBPF_CORE_RELOCATION:
		switch (value) { BPF_CORE_RELO_KINDS(CASE) }
		break;
	}
	return NULL;
}

struct row {
	int value;
	const char *name;
};
#define ROW(value, name) { value, name },
static const struct row program_types[] = { BPF_PROG_TYPES(ROW) };
static const struct row map_types[] = { BPF_MAP_TYPES(ROW) };
static const struct row attach_types[] = { BPF_ATTACH_TYPES(ROW) };
static const struct row link_types[] = { BPF_LINK_TYPES(ROW) };
static const struct row helpers[] = { BPF_HELPERS(ROW) };
static const struct row btf_kinds[] = { BTF_KINDS(ROW) };
static const struct row core_relocations[] = { BPF_CORE_RELO_KINDS(ROW) };

static int find(const struct row *rows, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].value;
	return -ENOENT;
}

int ebpf_enum_value(enum ebpf_enum which, const char *name)
{
	switch (which) {
	case EBPF_PROGRAM_TYPE:
		return find(program_types, EBPF_COUNT(program_types), name);
	case EBPF_MAP_TYPE:
		return find(map_types, EBPF_COUNT(map_types), name);
	case EBPF_ATTACH_TYPE:
		return find(attach_types, EBPF_COUNT(attach_types), name);
	case EBPF_LINK_TYPE:
		return find(link_types, EBPF_COUNT(link_types), name);
	case EBPF_HELPER:
		return find(helpers, EBPF_COUNT(helpers), ebpf_starts_with(name, "bpf_") ? name + 4 : name);
	case EBPF_BTF_KIND:
		return find(btf_kinds, EBPF_COUNT(btf_kinds), name);
	case EBPF_CORE_RELOCATION:
		return find(core_relocations, EBPF_COUNT(core_relocations), name);
	}
	return -ENOENT;
}

#ifndef EBPF_VERSION /* the Makefile's VERSION */
#define EBPF_VERSION "0.1.0"
#endif

const char *ebpf_version(void)
{
	return EBPF_VERSION;
}

/* Every number of <errno.h> on Linux; those with a second name (EWOULDBLOCK, EDEADLOCK, ENOTSUP) by the first. */
#define ERRNOS(X) \
	X(EPERM) X(ENOENT) X(ESRCH) X(EINTR) X(EIO) X(ENXIO) X(E2BIG) X(ENOEXEC) X(EBADF) X(ECHILD) X(EAGAIN) X(ENOMEM) \
	X(EACCES) X(EFAULT) X(ENOTBLK) X(EBUSY) X(EEXIST) X(EXDEV) X(ENODEV) X(ENOTDIR) X(EISDIR) X(EINVAL) X(ENFILE) \
	X(EMFILE) X(ENOTTY) X(ETXTBSY) X(EFBIG) X(ENOSPC) X(ESPIPE) X(EROFS) X(EMLINK) X(EPIPE) X(EDOM) X(ERANGE) \
	X(EDEADLK) X(ENAMETOOLONG) X(ENOLCK) X(ENOSYS) X(ENOTEMPTY) X(ELOOP) X(ENOMSG) X(EIDRM) X(ECHRNG) X(EL2NSYNC) \
	X(EL3HLT) X(EL3RST) X(ELNRNG) X(EUNATCH) X(ENOCSI) X(EL2HLT) X(EBADE) X(EBADR) X(EXFULL) X(ENOANO) X(EBADRQC) \
	X(EBADSLT) X(EBFONT) X(ENOSTR) X(ENODATA) X(ETIME) X(ENOSR) X(ENONET) X(ENOPKG) X(EREMOTE) X(ENOLINK) X(EADV) \
	X(ESRMNT) X(ECOMM) X(EPROTO) X(EMULTIHOP) X(EDOTDOT) X(EBADMSG) X(EOVERFLOW) X(ENOTUNIQ) X(EBADFD) X(EREMCHG) \
	X(ELIBACC) X(ELIBBAD) X(ELIBSCN) X(ELIBMAX) X(ELIBEXEC) X(EILSEQ) X(ERESTART) X(ESTRPIPE) X(EUSERS) X(ENOTSOCK) \
	X(EDESTADDRREQ) X(EMSGSIZE) X(EPROTOTYPE) X(ENOPROTOOPT) X(EPROTONOSUPPORT) X(ESOCKTNOSUPPORT) X(EOPNOTSUPP) \
	X(EPFNOSUPPORT) X(EAFNOSUPPORT) X(EADDRINUSE) X(EADDRNOTAVAIL) X(ENETDOWN) X(ENETUNREACH) X(ENETRESET) \
	X(ECONNABORTED) X(ECONNRESET) X(ENOBUFS) X(EISCONN) X(ENOTCONN) X(ESHUTDOWN) X(ETOOMANYREFS) X(ETIMEDOUT) \
	X(ECONNREFUSED) X(EHOSTDOWN) X(EHOSTUNREACH) X(EALREADY) X(EINPROGRESS) X(ESTALE) X(EUCLEAN) X(ENOTNAM) X(ENAVAIL) \
	X(EISNAM) X(EREMOTEIO) X(EDQUOT) X(ENOMEDIUM) X(EMEDIUMTYPE) X(ECANCELED) X(ENOKEY) X(EKEYEXPIRED) X(EKEYREVOKED) \
	X(EKEYREJECTED) X(EOWNERDEAD) X(ENOTRECOVERABLE) X(ERFKILL) X(EHWPOISON)

#define ERRNO_CASE(name) case name: return #name;

const char *ebpf_errno_name(int code)
{
	switch (code < 0 ? -(int64_t)code : code) {
	ERRNOS(ERRNO_CASE)
	}
	/* The kernel's own (include/linux/errno.h): programs that look at return values within it see them, and bpf(2) lets 524 out. */
	static const char *const inner[] = {
		"ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", "ENOIOCTLCMD", "ERESTART_RESTARTBLOCK", "EPROBE_DEFER", "EOPENSTALE", "ENOPARAM", NULL,
		"EBADHANDLE", "ENOTSYNC", "EBADCOOKIE", "ENOTSUPP", "ETOOSMALL", "ESERVERFAULT", "EBADTYPE", "EJUKEBOX", "EIOCBQUEUED", "ERECALLCONFLICT",
		"ENOGRACE",
	};
	size_t index = (size_t)(code < 0 ? -(int64_t)code : code) - 512;

	return index < EBPF_COUNT(inner) && inner[index] ? inner[index] : "UNKNOWN";
}
