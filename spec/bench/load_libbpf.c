/* The same as load_ebpf.c with libbpf. */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>

#include "bpf_time.h"

static int load_once(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	int result = object ? bpf_object__load(object) : -1;

	if (result < 0)
		fprintf(stderr, "%s: does not load\n", path);
	bpf_object__close(object);
	return result;
}

int main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[2]) : 1, result = 0;

	bpf_time_begin();
	libbpf_set_print(NULL);
	while (argc > 1 && result == 0 && count--)
		result = load_once(argv[1]);
	bpf_time_end();
	return result != 0;
}
