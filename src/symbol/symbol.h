/* symbol.h -- addresses and names in ELF files.
 *
 * Reads through libelf; any bytes give a result or an error. Paths of libraries given by bare name are searched in
 * LD_LIBRARY_PATH's absence in ld.so.cache and the usual folders; executables in $PATH.
 */
#ifndef EBPF_SYMBOL_H
#define EBPF_SYMBOL_H

#include "kernel/kernel.h"

/* "libc.so.6", "bash" or a path -> an absolute path, malloc'ed. */
int ebpf_binary_find(const char *name, char **path, struct ebpf_error *err);
/* The same for one process (0 or -1: any): a bare name is first that of a file which the process has in its memory. In another
 * root than ours its path begins with /proc/PID/root; of a file that was deleted it is that of /proc/PID/map_files. */
int ebpf_binary_find_for(const char *name, int32_t pid, char **path, struct ebpf_error *err);
/* "libc" is taken for libc.so.6: a bare stem matches any version. */
bool ebpf_binary_matches(const char *file, const char *name);
/* File offset of a function: "malloc", "pthread_create@GLIBC_2.34" (version), dynamic symbols before others, which of a stripped
 * file are in its debug file; ENOENT, or EEXIST when the name is ambiguous at different offsets. `size` (may be NULL) gets the symbol's size. */
int ebpf_binary_symbol(const char *path, const char *symbol, uint64_t *offset, uint64_t *size, struct ebpf_error *err);

/* All functions that a file defines and whose names match a pattern of the shell, by offset, each place once. ENOENT when
 * there is none. */
struct ebpf_binary_function {
	char *name;
	uint64_t offset;
};
struct ebpf_binary_functions {
	struct ebpf_binary_function *items;
	size_t count;
};
int ebpf_binary_functions(const char *path, const char *pattern, struct ebpf_binary_functions *out, struct ebpf_error *err);
void ebpf_binary_functions_free(struct ebpf_binary_functions *list);

/* Where a process (-1 = this one) has the code at an offset of a file in its memory. ENOENT when it has not mapped the file, ESRCH. */
int ebpf_process_address(int32_t pid, const char *path, uint64_t offset, uint64_t *address, struct ebpf_error *err);
/* A file in the memory of a process by its bare name, as ebpf_binary_find_for; ENOENT, ESRCH. */
int ebpf_process_find(int32_t pid, const char *name, char **path, struct ebpf_error *err);
/* Of a path the bytes that lead to the root of a process ("/proc/PID/root"); 0 = none. */
size_t ebpf_process_root(const char *path);

#endif
