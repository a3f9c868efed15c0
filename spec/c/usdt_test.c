/* usdt_test.c -- notes of USDT probes in files of every class and byte order, and the operands of four machines. */
#include "failing_malloc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "symbol/usdt.h"
#include "test.h"
#include "usdt_image.h"

static struct ebpf_error error;
static char path[] = "/tmp/ebpf_usdt_test_XXXXXX";

/* -- operands -- */

static const struct {
	uint16_t machine;
	const char *text;
	struct ebpf_usdt_argument wanted;
} operands[] = {
	{ EM_X86_64, "1@$65", { EBPF_USDT_CONSTANT, .value = 65, .size = 1 } },
	{ EM_X86_64, "-8@$-9223372036854775808", { EBPF_USDT_CONSTANT, .value = INT64_MIN, .size = 8, .is_signed = true } },
	{ EM_X86_64, "8@$18446744073709551615", { EBPF_USDT_CONSTANT, .value = -1, .size = 8 } },
	{ EM_X86_64, "8@$0xff", { EBPF_USDT_CONSTANT, .value = 255, .size = 8 } },
	{ EM_X86_64, "-4@%eax", { EBPF_USDT_REGISTER, .base = 80, .size = 4, .is_signed = true } },
	{ EM_X86_64, "1@%ah", { EBPF_USDT_REGISTER, .base = 81, .size = 1 } },
	{ EM_X86_64, "8@%r15", { EBPF_USDT_REGISTER, .base = 0, .size = 8 } },
	{ EM_X86_64, "2@%r8w", { EBPF_USDT_REGISTER, .base = 72, .size = 2 } },
	{ EM_X86_64, "4@%r12d", { EBPF_USDT_REGISTER, .base = 24, .size = 4 } },
	{ EM_X86_64, "1@%sil", { EBPF_USDT_REGISTER, .base = 104, .size = 1 } },
	{ EM_X86_64, "8f@%rdi", { EBPF_USDT_REGISTER, .base = 112, .size = 8 } },
	{ EM_X86_64, "8@(%rsp)", { EBPF_USDT_MEMORY, .base = 152, .size = 8 } },
	{ EM_X86_64, "-2@-16(%rbp)", { EBPF_USDT_MEMORY, .value = -16, .base = 32, .size = 2, .is_signed = true } },
	{ EM_X86_64, "4@8(%rax,%rbx)", { EBPF_USDT_INDEXED, .value = 8, .base = 80, .index = 40, .size = 4 } },
	{ EM_X86_64, "4@(%rax,%rcx,8)", { EBPF_USDT_INDEXED, .base = 80, .index = 88, .shift = 3, .size = 4 } },
	{ EM_X86_64, "4@-4(%rdx,%rsi,2)", { EBPF_USDT_INDEXED, .value = -4, .base = 96, .index = 104, .shift = 1, .size = 4 } },
	{ EM_AARCH64, "-4@-7", { EBPF_USDT_CONSTANT, .value = -7, .size = 4, .is_signed = true } },
	{ EM_AARCH64, "8@x19", { EBPF_USDT_REGISTER, .base = 152, .size = 8 } },
	{ EM_AARCH64, "4@w0", { EBPF_USDT_REGISTER, .base = 0, .size = 4 } },
	{ EM_AARCH64, "8@xzr", { EBPF_USDT_CONSTANT, .size = 8 } },
	{ EM_AARCH64, "8@sp", { EBPF_USDT_REGISTER, .base = 248, .size = 8 } },
	{ EM_AARCH64, "8@[x30]", { EBPF_USDT_MEMORY, .base = 240, .size = 8 } },
	{ EM_AARCH64, "4@[sp, 12]", { EBPF_USDT_MEMORY, .value = 12, .base = 248, .size = 4 } },
	{ EM_AARCH64, "4@[x29, #-12]", { EBPF_USDT_MEMORY, .value = -12, .base = 232, .size = 4 } },
	{ EM_AARCH64, "8@[x1, x2]", { EBPF_USDT_INDEXED, .base = 8, .index = 16, .size = 8 } },
	{ EM_AARCH64, "8@[x1, x2, lsl 3]", { EBPF_USDT_INDEXED, .base = 8, .index = 16, .shift = 3, .size = 8 } },
	{ EM_S390, "-4@5", { EBPF_USDT_CONSTANT, .value = 5, .size = 4, .is_signed = true } },
	{ EM_S390, "8@%r2", { EBPF_USDT_REGISTER, .base = 40, .size = 8 } },
	{ EM_S390, "8@160(%r15)", { EBPF_USDT_MEMORY, .value = 160, .base = 144, .size = 8 } },
	{ EM_S390, "8@8(%r1,%r2)", { EBPF_USDT_INDEXED, .value = 8, .base = 40, .index = 32, .size = 8 } },
	{ EM_RISCV, "8@3", { EBPF_USDT_CONSTANT, .value = 3, .size = 8 } },
	{ EM_RISCV, "8@a0", { EBPF_USDT_REGISTER, .base = 80, .size = 8 } },
	{ EM_RISCV, "4@t6", { EBPF_USDT_REGISTER, .base = 248, .size = 4 } },
	{ EM_RISCV, "-4@-20(s0)", { EBPF_USDT_MEMORY, .value = -20, .base = 64, .size = 4, .is_signed = true } },
	{ EM_RISCV, "8@(sp)", { EBPF_USDT_MEMORY, .base = 16, .size = 8 } },
};

static const struct {
	uint16_t machine;
	const char *text;
	int code;
} refused[] = {
	{ EM_X86_64, "", EINVAL },          { EM_X86_64, "%eax", EINVAL },           { EM_X86_64, "3@%eax", EINVAL },
	{ EM_X86_64, "16@%xmm0", EINVAL },  { EM_X86_64, "8@%xmm0", ENOTSUP },       { EM_X86_64, "8@", ENOTSUP },
	{ EM_X86_64, "8@%", ENOTSUP },      { EM_X86_64, "8@$", ENOTSUP },           { EM_X86_64, "8@%r16", ENOTSUP },
	{ EM_X86_64, "8@%r7", ENOTSUP },    { EM_X86_64, "8@(%rax", ENOTSUP },       { EM_X86_64, "8@(%rax)x", ENOTSUP },
	{ EM_X86_64, "8@()", ENOTSUP },     { EM_X86_64, "8@(%rax,%rbx,3)", ENOTSUP }, { EM_X86_64, "8@(%rax,)", ENOTSUP },
	{ EM_X86_64, "8@$99999999999999999999", ENOTSUP },                          { EM_X86_64, "8@name(%rax)", ENOTSUP },
	{ EM_X86_64, "--8@%rax", EINVAL },  { EM_X86_64, "-9223372036854775808@%rax", EINVAL },
	{ EM_AARCH64, "8@[x0", ENOTSUP },   { EM_AARCH64, "8@x31", ENOTSUP },        { EM_AARCH64, "8@[x0, w1]", ENOTSUP },
	{ EM_AARCH64, "8@[x0, x1, lsl 9]", ENOTSUP }, { EM_AARCH64, "8@d0", ENOTSUP }, { EM_AARCH64, "8@[]", ENOTSUP },
	{ EM_S390, "8@%f0", ENOTSUP },      { EM_S390, "8@%r16", ENOTSUP },          { EM_S390, "8@1(%r1", ENOTSUP },
	{ EM_RISCV, "8@fa0", ENOTSUP },     { EM_RISCV, "8@1(", ENOTSUP },           { EM_RISCV, "8@", ENOTSUP },
	{ EM_386, "4@%eax", ENOTSUP },
};

static void test_operands(void)
{
	for (size_t i = 0; i < EBPF_COUNT(operands); i++) {
		const struct ebpf_usdt_argument *wanted = &operands[i].wanted;
		struct ebpf_usdt_argument got;
		int result = ebpf_usdt_argument(operands[i].text, strlen(operands[i].text), operands[i].machine, &got, &error);

		if (result || got.place != wanted->place || got.value != wanted->value || got.base != wanted->base ||
		    got.index != wanted->index || got.shift != wanted->shift || got.size != wanted->size ||
		    got.is_signed != wanted->is_signed || got.symbol) {
			test_failures++;
			fprintf(stderr, "not ok: '%s' of machine %u: %s\n", operands[i].text, operands[i].machine, error.message);
		}
		ebpf_error_clear(&error);
	}
	for (size_t i = 0; i < EBPF_COUNT(refused); i++) {
		struct ebpf_usdt_argument got;
		int result = ebpf_usdt_argument(refused[i].text, strlen(refused[i].text), refused[i].machine, &got, &error);

		if (result != -refused[i].code || error.code != refused[i].code || error.message[0] != '\'') {
			test_failures++;
			fprintf(stderr, "not ok: '%s' gives %d: %s\n", refused[i].text, result, error.message);
		}
		ebpf_error_clear(&error);
	}
}

static void test_variables(void)
{
	static const char *const texts[] = { "4@counter(%rip)", "4@counter+4(%rip)", "4@4+counter(%rip)" };

	for (size_t i = 0; i < EBPF_COUNT(texts); i++) {
		struct ebpf_usdt_argument got;

		CHECK_INT(ebpf_usdt_argument(texts[i], strlen(texts[i]), EM_X86_64, &got, &error), 0);
		CHECK_INT(got.place, EBPF_USDT_MEMORY);
		CHECK_INT(got.base, 128);
		CHECK_INT(got.value, i ? 4 : 0);
		CHECK(got.symbol && got.symbol_size == 7 && !strncmp(got.symbol, "counter", 7));
		ebpf_error_clear(&error);
	}
}

static void test_lists(void)
{
	const char *list = "  4@%eax 8@[sp, 12]\t-1@(%rax,%rbx, 4) ", *wanted[] = { "4@%eax", "8@[sp, 12]", "-1@(%rax,%rbx, 4)" };
	size_t size, count = 0;

	for (; (list = ebpf_usdt_first(list, &size)) != NULL; list += size, count++)
		CHECK(count < 3 && size == strlen(wanted[count]) && !strncmp(list, wanted[count], size));
	CHECK_INT(count, 3);
	CHECK(!ebpf_usdt_first("", &size));
	CHECK(!ebpf_usdt_first("  ", &size));
}

/* -- notes -- */

static void add_note(struct image *notes, uint64_t address, uint64_t base, uint64_t semaphore, const char *provider, const char *name,
		     const char *arguments)
{
	size_t size = (notes->wide ? 24 : 12) + strlen(provider) + strlen(name) + strlen(arguments) + 3;

	image_put(notes, 8, 4);
	image_put(notes, size, 4);
	image_put(notes, 3, 4);
	memcpy(notes->bytes + notes->size, "stapsdt", 8);
	notes->size += 8;
	image_word(notes, address);
	image_word(notes, base);
	image_word(notes, semaphore);
	for (const char *const *text = (const char *const[]){ provider, name, arguments, NULL }; *text; text++) {
		memcpy(notes->bytes + notes->size, *text, strlen(*text) + 1);
		notes->size += strlen(*text) + 1;
	}
	notes->size = (notes->size + 3) & ~(size_t)3;
}

static void write_file(const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK_INT(write(fd, data, size), size);
	close(fd);
}

static struct image notes, image;

static void make(bool wide, bool big, uint64_t moved)
{
	notes = (struct image){ .wide = wide, .big = big };
	image = (struct image){ .wide = wide, .big = big, .machine = EM_X86_64, .type = ET_DYN };
	add_note(&notes, IMAGE_CODE + 0x10 - moved, IMAGE_BASE - moved, 0, "one", "first", "4@%eax 8@$5");
	/* another's note, and one of another type */
	image_put(&notes, 4, 4), image_put(&notes, 4, 4), image_put(&notes, 3, 4);
	memcpy(notes.bytes + notes.size, "GNU", 4);
	notes.size += 8;
	add_note(&notes, IMAGE_CODE + 0x20 - moved, IMAGE_BASE - moved, IMAGE_DATA + 0x30 - moved, "two", "first", "");
	add_note(&notes, IMAGE_CODE + 0x40 - moved, IMAGE_BASE - moved, 0, "one", "second", "4@$1 4@$1 4@$1 4@$1 4@$1 4@$1 4@$1 4@$1 4@$1 4@$1 "
		 "4@$1 4@$1 4@$1");
	image_make(&image, notes.bytes, notes.size, IMAGE_BASE);
	write_file(image.bytes, image.size);
}

static void test_notes(void)
{
	struct ebpf_usdt_argument arguments[EBPF_USDT_ARGUMENTS_MAX];
	struct ebpf_usdt *usdt;

	for (int kind = 0; kind < 8; kind++) {
		make(kind & 1, kind & 2, kind & 4 ? 0x1000 : 0);
		CHECK_INT(ebpf_usdt_read(path, NULL, NULL, &usdt, &error), 0);
		if (!usdt || usdt->count != 3) {
			test_failures++;
			fprintf(stderr, "not ok: kind %d: %s\n", kind, error.message);
			continue;
		}
		CHECK(usdt->position_independent && usdt->machine == EM_X86_64);
		CHECK_STR(usdt->path, path);
		CHECK_STR(usdt->probes[0].provider, "one");
		CHECK_STR(usdt->probes[0].name, "first");
		CHECK_STR(usdt->probes[0].arguments, "4@%eax 8@$5");
		CHECK_INT(usdt->probes[0].address, IMAGE_CODE + 0x10);
		CHECK_INT(usdt->probes[0].offset, 0x1010);
		CHECK_INT(usdt->probes[0].semaphore, 0);
		CHECK_INT(usdt->probes[1].offset, 0x1020);
		CHECK_INT(usdt->probes[1].semaphore, 0x2030);
		CHECK_INT(ebpf_usdt_arguments(usdt, &usdt->probes[0], arguments, &error), 2);
		CHECK_INT(arguments[1].value, 5);
		CHECK_INT(ebpf_usdt_arguments(usdt, &usdt->probes[1], arguments, &error), 0);
		CHECK_INT(ebpf_usdt_arguments(usdt, &usdt->probes[2], arguments, &error), -E2BIG);
		ebpf_error_clear(&error);
		ebpf_usdt_free(usdt);
		CHECK_INT(ebpf_usdt_read(path, "one", NULL, &usdt, &error), 0);
		CHECK_INT(usdt->count, 2);
		ebpf_usdt_free(usdt);
		CHECK_INT(ebpf_usdt_read(path, "one", "first", &usdt, &error), 0);
		CHECK_INT(usdt->count, 1);
		ebpf_usdt_free(usdt);
		CHECK_INT(ebpf_usdt_read(path, "three", NULL, &usdt, &error), 0);
		CHECK_INT(usdt->count, 0);
		ebpf_usdt_free(usdt);
	}
	ebpf_usdt_free(NULL);
}

static void check_damaged(const char *message)
{
	struct ebpf_usdt *usdt = (void *)1;

	image_make(&image, notes.bytes, notes.size, IMAGE_BASE);
	write_file(image.bytes, image.size);
	CHECK_INT(ebpf_usdt_read(path, NULL, NULL, &usdt, &error), -EBADMSG);
	CHECK(!usdt);
	if (!strstr(error.message, message))
		test_failures++, fprintf(stderr, "not ok: '%s', not '%s'\n", error.message, message);
	ebpf_error_clear(&error);
}

static void test_damaged(void)
{
	make(true, false, 0);
	notes.size = 17;
	check_damaged("damaged at byte 0");
	make(true, false, 0);
	notes.bytes[4] = 0xff; /* it says to be longer */
	notes.bytes[5] = 0xff;
	check_damaged("damaged at byte 0");
	make(true, false, 0);
	notes.bytes[4] = 23; /* not even three addresses */
	check_damaged("is cut off");
	make(true, false, 0);
	memset(notes.bytes + 20, 0xee, 8);
	check_damaged("lies in no segment of code");
	notes = (struct image){ .wide = true };
	add_note(&notes, IMAGE_CODE, IMAGE_BASE, IMAGE_CODE, "one", "first", "");
	check_damaged("lies in no segment of data");
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	return *state ^= *state << 5;
}

static void test_any_bytes(void)
{
	uint32_t state = 2463534242U;

	for (int i = 0; i < 3000; i++) {
		struct ebpf_usdt *usdt;

		if (i % 8 == 0)
			make(i & 8, i & 16, 0);
		image.bytes[next_random(&state) % 2 ? next_random(&state) % 0x400 : IMAGE_NOTES + next_random(&state) % notes.size] =
			(uint8_t)next_random(&state);
		write_file(image.bytes, i % 3 ? image.size : next_random(&state) % image.size);
		if (ebpf_usdt_read(path, NULL, NULL, &usdt, &error) == 0)
			ebpf_usdt_free(usdt);
		else
			CHECK(!usdt && error.message[0]);
		ebpf_error_clear(&error);
	}
}

/* -- any allocation may fail -- */

#ifndef SANITIZED
static void test_memory(void)
{
	long attempt = 0, before;
	int result;

	make(true, false, 0);
	before = live;
	do {
		struct ebpf_usdt *usdt;

		failed_allocation = false;
		fail_allocation = ++attempt;
		result = ebpf_usdt_read(path, NULL, NULL, &usdt, &error);
		fail_allocation = 0;
		CHECK((result == 0) == (usdt != NULL));
		/* libelf tells of it as of a file that it cannot read */
		CHECK(result == 0 || result == -ENOMEM || result == -ENOEXEC || result == -EBADMSG);
		if (result == 0)
			CHECK(!failed_allocation || usdt->count <= 3);
		ebpf_usdt_free(usdt);
		ebpf_error_clear(&error);
		CHECK_INT(live, before);
	} while (failed_allocation && attempt < 1000);
	CHECK(attempt > 12 && attempt < 1000);
}
#endif

int main(void)
{
	int fd = mkstemp(path);

	if (fd < 0)
		return perror(path), 1;
	close(fd);
	test_operands();
	test_variables();
	test_lists();
	test_notes();
	test_damaged();
	test_any_bytes();
#ifndef SANITIZED
	test_memory();
#endif
	unlink(path);
	return TEST_RESULT();
}
