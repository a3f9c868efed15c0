/* Reading an object when memory runs out: each allocation fails once, in turn; the answer is an error or a Spec, and nothing is
 * left behind. */
#include <errno.h>
#include <stdlib.h>

#include "ebpf.h"
#include "test.h"

#if defined(__SANITIZE_ADDRESS__) || !defined(__GLIBC__)
int main(void)
{
	TEST_SKIP("needs to replace the allocator of glibc, which a sanitizer has replaced already");
}
#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *block);

static bool counting;
static long live, requests, failing; /* failing: the request that fails, from 1; 0 = none */

static bool fails(void)
{
	return counting && ++requests == failing;
}

void *malloc(size_t size)
{
	void *block = fails() ? NULL : __libc_malloc(size);

	if (!block)
		errno = ENOMEM;
	live += counting && block;
	return block;
}

void *calloc(size_t count, size_t size)
{
	void *block = fails() ? NULL : __libc_calloc(count, size);

	if (!block)
		errno = ENOMEM;
	live += counting && block;
	return block;
}

void *realloc(void *old, size_t size)
{
	void *block = fails() ? NULL : __libc_realloc(old, size);

	if (!block)
		errno = ENOMEM;
	live += counting && block && !old;
	return block;
}

void free(void *block)
{
	live -= counting && block;
	__libc_free(block);
}

static bool read_failing(const char *path, long at)
{
	struct ebpf_error err = {0};
	struct ebpf_spec *spec = NULL;
	int result;

	live = requests = 0;
	failing = at;
	counting = true;
	result = ebpf_spec_read_file(path, &spec, &err);
	failing = 0;
	if (!result)
		ebpf_spec_free(spec);
	ebpf_error_clear(&err);
	counting = false;
	CHECK(result || spec);
	CHECK_INT(live, 0);
	/* what fails inside of libelf is told as a malformed object, and fopen has its own errno */
	CHECK(!result || result == -ENOMEM || result == -EINVAL);
	return requests >= at;
}

static void *object;
static size_t object_size;

static bool strip_failing(long at)
{
	struct ebpf_error err = {0};
	void *stripped = NULL;
	size_t size = 0;
	int result;

	live = requests = 0;
	failing = at;
	counting = true;
	result = ebpf_object_strip(object, object_size, &stripped, &size, &err);
	failing = 0;
	if (!result)
		free(stripped);
	ebpf_error_clear(&err);
	counting = false;
	CHECK(result || (stripped && size));
	CHECK_INT(live, 0);
	CHECK(!result || result == -ENOMEM || result == -EINVAL);
	return requests >= at;
}

static void read_bytes(const char *path)
{
	FILE *file = fopen(path, "rb");

	CHECK(file);
	if (!file)
		return;
	object = malloc(1 << 20);
	object_size = object ? fread(object, 1, 1 << 20, file) : 0;
	fclose(file);
}

int main(int argc, char **argv)
{
	static const char *const names[] = {"spec_maps", "spec_code", "spec_data", "spec_extern", "spec_core", "spec_struct_ops",
	                                    "spec_legacy", "spec_iproute2", "load_throw"};
	const char *directory = argc > 1 ? argv[1] : getenv("EBPF_TEST_OBJECTS") ? getenv("EBPF_TEST_OBJECTS") : "build/spec/bpf";
	char path[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		long at = 0;

		snprintf(path, sizeof(path), "%s/%s.bpf.o", directory, names[i]);
		while (read_failing(path, ++at))
			;
		CHECK(at > 10);
		read_bytes(path);
		at = 0;
		while (strip_failing(++at))
			;
		CHECK(at > 10);
		free(object);
		printf("%s: %ld allocations\n", names[i], at - 1);
	}
	return TEST_RESULT();
}
#endif
