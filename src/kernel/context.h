/* context.h -- what a struct ebpf_kernel remembers; for the files of this room alone.
 *
 * Everything starts unknown (zero, NULL or -1) and is filled by the file that owns it. Nothing is forgotten before the
 * context goes, except that an answer which was not conclusive is not kept at all.
 */
#ifndef EBPF_KERNEL_CONTEXT_H
#define EBPF_KERNEL_CONTEXT_H

#include "kernel/kernel.h"

/* Groups of features, and more rows than any of them has. */
enum { EBPF_GROUP_COUNT = 7, EBPF_GROUP_ROWS = 64 };

enum feature_answer { ANSWER_UNKNOWN, ANSWER_ABSENT, ANSWER_PRESENT };

struct kernel_pmu {
	char name[16];
	int type, ret_bit;
};
struct ebpf_kernel {
	unsigned refs;
	const struct ebpf_sys *sys;
	uint32_t version;
	int cpu_count;
	bool memlock_raised;

	struct ebpf_btf *vmlinux;             /* types.c */
	bool modules_known;
	struct ebpf_module *modules;
	struct module_types {
		struct ebpf_btf *btf;
		int fd;
	} *module_types;                      /* beside `modules` */
	size_t module_count;

	int tracefs_fd;                       /* tracefs.c */
	struct kernel_pmu pmus[2];

	char *config;                         /* config.c: the whole text; NULL = not read */
	size_t config_size;

	uint8_t answers[EBPF_FEATURE_COUNT];  /* feature.c: enum feature_answer */
	bool masked[EBPF_FEATURE_COUNT];
	uint8_t group_answers[EBPF_GROUP_COUNT][EBPF_GROUP_ROWS]; /* feature_group.c */
	char **masks;                         /* what is masked by a dotted name */
	size_t mask_count;
	struct kernel_calls *calls;           /* feature_call.c */
	struct ebpf_token *token;             /* token.c: what is given to each making of an object, or NULL */
};

/* The whole of a file (from `dir_fd`, or AT_FDCWD), NUL-terminated, at most `limit` bytes; malloc'ed. -errno, and err
 * is not filled. */
int ebpf_kernel_read_file(const struct ebpf_sys *sys, int dir_fd, const char *path, size_t limit, char **data,
			  size_t *size);
/* The first bytes of a small file, NUL-terminated, without trailing white space. -errno. */
int ebpf_kernel_read_text(const struct ebpf_sys *sys, int dir_fd, const char *path, char *text, size_t size);
/* Linux 5.2: the root of a file system in a mount that has no place in the tree and goes with its last descriptor
 * (tracefs.c). -errno. */
int ebpf_kernel_mount_detached(const struct ebpf_sys *sys, const char *type);
/* A descriptor of a loaded BTF object, what the kernel says of it, and its types (btf_object.c, types.c). -errno. */
int ebpf_kernel_open_btf(struct ebpf_kernel *kernel, uint32_t id);
int ebpf_kernel_btf_query(struct ebpf_kernel *kernel, int fd, struct bpf_btf_info *info);
int ebpf_kernel_read_btf(struct ebpf_kernel *kernel, int fd, struct ebpf_btf *base, struct ebpf_btf **out);
/* uname -r; "" when even that fails. */
void ebpf_kernel_release(char *text, size_t size);
/* "__x64_sys_": what this architecture puts before the names of system calls, where it has wrappers. */
const char *ebpf_kernel_syscall_prefix(void);
/* Each file's part of ebpf_kernel_free. */
void ebpf_kernel_types_free(struct ebpf_kernel *kernel);
void ebpf_kernel_tracefs_free(struct ebpf_kernel *kernel);
void ebpf_kernel_groups_free(struct ebpf_kernel *kernel);
void ebpf_kernel_calls_free(struct ebpf_kernel *kernel);

#endif
