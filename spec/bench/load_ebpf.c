/* Loads an object and lets it go, with this library. With a count: so many times in one process. */
#include <stdio.h>
#include <stdlib.h>

#include "bpf_time.h"
#include "ebpf.h"

static int load_once(struct ebpf_kernel *kernel, const char *path)
{
	struct ebpf_collection *collection = NULL;
	struct ebpf_spec *spec = NULL;
	struct ebpf_error err = { 0 };
	int result = ebpf_spec_read_file(path, &spec, &err);

	if (result == 0)
		result = ebpf_collection_load(spec, kernel, NULL, &collection, &err);
	if (result < 0)
		fprintf(stderr, "%s: %s\n", path, err.message);
	ebpf_collection_free(collection);
	ebpf_spec_free(spec);
	ebpf_error_clear(&err);
	return result;
}

int main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[2]) : 1, result = 0;
	struct ebpf_kernel *kernel;

	bpf_time_begin();
	kernel = ebpf_kernel_new(NULL);
	while (argc > 1 && result == 0 && count--)
		result = load_once(kernel, argv[1]);
	ebpf_kernel_free(kernel);
	bpf_time_end();
	return result != 0;
}
