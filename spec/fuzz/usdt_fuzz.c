/* usdt_fuzz.c -- libFuzzer: any bytes as the USDT notes of a file of either class and byte order, or as the whole file, and any text
 * as the arguments of a probe.
 *
 * The first byte chooses: bits 0 and 1 class and byte order, bits 2 and 3 the machine, bits 4 and 5 what the rest is. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../c/usdt_image.h"
#include "fuzz.h"
#include "symbol/usdt.h"

static void check_error(int result, struct ebpf_error *err)
{
	if (result < 0 && (err->code != -result || !err->message[0]))
		abort();
	ebpf_error_clear(err);
}

static void read_arguments(const struct ebpf_usdt *usdt, const struct ebpf_usdt_probe *probe)
{
	struct ebpf_usdt_argument arguments[EBPF_USDT_ARGUMENTS_MAX];
	struct ebpf_error err = { 0 };
	int result = ebpf_usdt_arguments(usdt, probe, arguments, &err);

	for (int i = 0; i < result; i++)
		if (arguments[i].place > EBPF_USDT_INDEXED || !arguments[i].size || arguments[i].size > 8 || arguments[i].base > 600 ||
		    arguments[i].index > 600 || arguments[i].shift > 4)
			abort();
	check_error(result, &err);
}

static void read_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("usdt", MFD_CLOEXEC);
	struct ebpf_error err = { 0 };
	struct ebpf_usdt *usdt;
	char path[32];
	int result;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	fuzz_watch_begin();
	result = ebpf_usdt_read(path, NULL, NULL, &usdt, &err);
	if ((result == 0) != (usdt != NULL))
		abort();
	for (size_t i = 0; usdt && i < usdt->count && i < 32; i++)
		read_arguments(usdt, &usdt->probes[i]);
	ebpf_usdt_free(usdt);
	check_error(result, &err);
	fuzz_watch_end(size, 64);
	close(fd);
}

static void read_text(const uint8_t *data, size_t size, uint16_t machine)
{
	char path[] = "/proc/self/exe", name[] = "x", *text = malloc(size + 1);
	struct ebpf_usdt_probe probe = { .provider = name, .name = name, .arguments = text };
	struct ebpf_usdt usdt = { .path = path, .machine = machine, .probes = &probe, .count = 1 };

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	read_arguments(&usdt, &probe);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t machines[] = { EM_X86_64, EM_AARCH64, EM_S390, EM_RISCV };
	static struct image image;

	if (!size)
		return 0;
	image = (struct image){ .wide = *data & 1, .big = *data & 2, .machine = machines[*data >> 2 & 3], .type = ET_DYN };
	switch (*data >> 4 & 3) {
	case 0:
		read_text(data + 1, size - 1, image.machine);
		break;
	case 1:
		read_file(data + 1, size - 1);
		break;
	default:
		if (size - 1 > IMAGE_MAX - IMAGE_NOTES)
			break;
		image_make(&image, data + 1, size - 1, *data & 0x10 ? IMAGE_BASE : 0);
		read_file(image.bytes, image.size);
	}
	return 0;
}
