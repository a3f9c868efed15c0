/* replay.c -- instead of libFuzzer: runs a target over the inputs that are kept, FILE..., and over what hides in their cut ends. */
#include "fuzz.h"

static uint8_t *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	long end = -1;

	if (file && fseek(file, 0, SEEK_END) == 0)
		end = ftell(file);
	if (end >= 0)
		data = malloc((size_t)end + 1);
	if (data) {
		rewind(file);
		*size = fread(data, 1, (size_t)end, file);
	}
	if (file)
		fclose(file);
	return data;
}

/* In a block of just that size, so that a sanitizer sees a step over its end. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		size_t size = 0;
		uint8_t *data = read_file(argv[i], &size);

		if (!data) {
			perror(argv[i]);
			return 2;
		}
		fprintf(stderr, "%s\n", argv[i]);
		for (int cut = 0; cut < 4; cut++)
			run(data, size - size * (size_t)cut / 5);
		free(data);
	}
	return 0;
}
