/* load_fuzz.c -- libFuzzer: any bytes as an object, loaded into a kernel that is made up: every system call is answered here.
 *
 * The last byte of an input chooses: bit 0, the kernel's types are the object's own (else two canned ones); bit 1, programs are
 * refused with a log; bit 2, BTF is refused; bit 3, maps are refused; bit 4, it has neither ring buffers nor global data. */
#include <errno.h>
#include <fcntl.h>

#include "btf/private.h"
#include "fuzz.h"
#include "kernel/kernel.h"
#include "load/load.h"

enum { OWN_TYPES = 1, REFUSE_PROGRAMS = 2, REFUSE_BTF = 4, REFUSE_MAPS = 8, OLD = 16 };
enum { first_fd = 1000, largest_map = 1 << 20 };

static uint8_t mode;
static int next_fd, types_fd;
static struct ebpf_span types;
static size_t types_read;

/* struct { int a; } and its int: little-endian. */
static const uint8_t canned_types[] = {
        0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0,  40, 0, 0, 0,   40,  0,   0, 0,   9, 0,   0, 0, 1,
        0,    0,    0, 0, 0,  0, 1, 4, 0, 0, 0, 32, 0,  0, 1, 5,   0,   0,   0, 1,   0, 0,   4, 4, 0,
        0,    0,    7, 0, 0,  0, 1, 0, 0, 0, 0, 0,  0,  0, 0, 'i', 'n', 't', 0, 's', 0, 'a', 0,
};

static int load_program(union bpf_attr *attr)
{
	static const char log[] = "; a line\n0: (b7) r0 = 0\n5: (85) call unknown#2001000000\ninvalid func unknown#2001000000\n";

	if (!(mode & REFUSE_PROGRAMS))
		return next_fd++;
	if (attr->log_buf && attr->log_size >= sizeof(log))
		memcpy((void *)(uintptr_t)attr->log_buf, log, sizeof(log));
	return -EACCES;
}

static int fake_bpf(enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	(void)size;
	switch (cmd) {
	case BPF_PROG_LOAD:
		return load_program(attr);
	case BPF_BTF_LOAD:
		return mode & REFUSE_BTF ? -EINVAL : next_fd++;
	case BPF_MAP_CREATE:
		return mode & REFUSE_MAPS ? -EINVAL : next_fd++;
	case BPF_LINK_CREATE: /* of probes */
		return -EINVAL;
	case BPF_OBJ_GET:
	case BPF_BTF_GET_NEXT_ID:
	case BPF_MAP_LOOKUP_ELEM:
		return -ENOENT;
	case BPF_OBJ_GET_INFO_BY_FD:
		memset((void *)(uintptr_t)attr->info.info, 0, attr->info.info_len);
		return 0;
	default:
		return 0;
	}
}

static int fake_mmap(size_t size, int prot, int flags, int fd, off_t offset, void **out)
{
	(void)prot, (void)flags, (void)offset;
	if (fd == types_fd)
		return -ENODEV; /* read it */
	*out = size <= largest_map ? calloc(1, size) : NULL;
	return *out ? 0 : -ENOMEM;
}

static int fake_munmap(void *address, size_t size)
{
	(void)size;
	free(address);
	return 0;
}

static int fake_openat(int dir_fd, const char *path, int flags, mode_t mode_bits)
{
	(void)dir_fd, (void)flags, (void)mode_bits;
	if (strcmp(path, "/sys/kernel/btf/vmlinux"))
		return -ENOENT;
	types_read = 0;
	return types_fd = next_fd++;
}

static int fake_close(int fd)
{
	if (fd < first_fd || fd >= next_fd)
		abort(); /* it was never given out */
	return 0;
}

static ssize_t fake_pread(int fd, void *data, size_t size, off_t offset)
{
	size_t left = fd == types_fd && (size_t)offset < types.size ? types.size - (size_t)offset : 0;

	if (size > left)
		size = left;
	memcpy(data, types.data + offset, size);
	return (ssize_t)size;
}

static ssize_t fake_read(int fd, void *data, size_t size)
{
	ssize_t got = fake_pread(fd, data, size, (off_t)types_read);

	types_read += (size_t)got;
	return got;
}

static int fake_fcntl(int fd, int command, long argument)
{
	(void)fd, (void)argument;
	return command == F_DUPFD_CLOEXEC ? next_fd++ : -EINVAL;
}

static int fake_unlinkat(int dir_fd, const char *path, int flags)
{
	(void)dir_fd, (void)path, (void)flags;
	return 0;
}

static int fake_limit(int resource, uint64_t soft, uint64_t hard)
{
	(void)resource, (void)soft, (void)hard;
	return 0;
}

static int fake_limit_of(int resource, uint64_t *soft, uint64_t *hard)
{
	(void)resource;
	*soft = *hard = 1 << 23;
	return 0;
}

static int fake_bpf_common(enum bpf_cmd cmd, union bpf_attr *attr, size_t size, struct bpf_common_attr *common)
{
	(void)common;
	return fake_bpf(cmd, attr, size);
}

static const struct ebpf_sys fake = { .bpf = fake_bpf, .mmap = fake_mmap, .munmap = fake_munmap, .openat = fake_openat,
				      .close = fake_close, .read = fake_read, .pread = fake_pread, .fcntl = fake_fcntl,
				      .unlinkat = fake_unlinkat, .setrlimit = fake_limit, .getrlimit = fake_limit_of, .bpf_common = fake_bpf_common };

static void load(struct ebpf_spec *spec)
{
	static const char config[] = "CONFIG_A_BOOL=y\nCONFIG_A_MODULE=m\nCONFIG_A_CHAR=m\nCONFIG_AN_INT=1\nCONFIG_A_HEX=0x1\n";
	struct ebpf_load_options options = { .size = sizeof(options), .kconfig = config };
	struct ebpf_kernel *kernel = ebpf_kernel_new_with(&fake, NULL);
	struct ebpf_collection *collection = NULL;
	struct ebpf_error err = { 0 };
	int result;

	if (!kernel || (mode & OLD && (ebpf_kernel_mask(kernel, "ringbuf", true, NULL) || ebpf_kernel_mask(kernel, "global_data", true, NULL))))
		abort();
	result = ebpf_collection_load(spec, kernel, &options, &collection, &err);
	if (result < 0 ? err.code != -result || !*err.message || collection : !collection)
		abort();
	ebpf_error_clear(&err);
	ebpf_collection_free(collection);
	ebpf_kernel_free(kernel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ebpf_spec *spec = NULL;

	if (!size || ebpf_spec_read(data, size - 1, "fuzz", &spec, NULL))
		return 0;
	mode = data[size - 1];
	next_fd = first_fd;
	types_fd = -1;
	types = mode & OWN_TYPES && spec->btf ? spec->btf->bytes
					      : (struct ebpf_span){ .data = canned_types, .size = sizeof(canned_types) };
	load(spec);
	ebpf_spec_free(spec);
	return 0;
}
