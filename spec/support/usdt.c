/* usdt.c -- a program with USDT probes of every kind of operand, for spec/usdt_spec.lua. The notes are written by hand, not with
 * <sys/sdt.h>, so that each argument is kept where the spec wants it.
 *
 * usdt            passes each probe once; prints the semaphore of demo:guarded at its end
 * usdt wait       prints its process first, and passes them each time that it reads a byte, until the end of its input;
 *                 and prints the semaphore each time
 * As a library (-DLIBRARY) it passes each once when it is loaded.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The note of a probe at a nop; `arguments` is what <sys/sdt.h> would have the compiler write. */
#define PROBE(name, semaphore, arguments)                                                                                  \
	"990: nop\n"                                                                                                       \
	".pushsection .note.stapsdt,\"\",\"note\"\n"                                                                       \
	".balign 4\n .4byte 992f-991f, 994f-993f, 3\n"                                                                     \
	"991: .asciz \"stapsdt\"\n992: .balign 4\n"                                                                        \
	"993: .8byte 990b, _.stapsdt.base, " semaphore "\n"                                                               \
	".asciz \"demo\"\n .asciz \"" name "\"\n .asciz \"" arguments "\"\n"                                               \
	"994: .balign 4\n.popsection\n"                                                                                    \
	".ifndef _.stapsdt.base\n"                                                                                         \
	".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n .weak _.stapsdt.base\n"                     \
	".hidden _.stapsdt.base\n _.stapsdt.base: .space 1\n .size _.stapsdt.base, 1\n.popsection\n.endif\n"

__attribute__((section(".probes"), used)) volatile unsigned short usdt_semaphore;
__attribute__((used)) volatile int usdt_counter[2] = { 111, -222 };

/* Not constant: a page that was never touched is not in memory yet, and a program cannot wait for it. */
static struct {
	unsigned char byte;
	short half;
	int word;
	long long whole;
} memory = { 200, -300, -70000, 1LL << 40 };
static int numbers[4] = { 10, 20, -30, 40 };

/* Eight arguments, each kept elsewhere: 65, -66, 7, 200, -300, -70000, 1 << 40, -30. */
__attribute__((noinline)) static void pass_operands(void)
{
#if defined(__x86_64__)
	register long seven __asm__("r8") = 7;

	__asm__ volatile(PROBE("operands", "0", "1@$65 -4@%%eax 8@%%r8 1@(%%rsi) -2@2(%%rsi) -4@4(%%rsi) 8@8(%%rsi) -4@(%%rbx,%%rcx,4)")
			 : : "a"(-66L), "r"(seven), "S"(&memory), "b"(numbers), "c"(2L) : "memory");
#elif defined(__aarch64__)
	register long other __asm__("x1") = -66, seven __asm__("x2") = 7, index __asm__("x5") = 2;
	register const void *at __asm__("x3") = &memory, *list __asm__("x4") = numbers;

	__asm__ volatile(PROBE("operands", "0", "1@65 -4@x1 8@x2 1@[x3] -2@[x3, 2] -4@[x3, 4] 8@[x3, 8] -4@[x4, x5, lsl 2]")
			 : : "r"(other), "r"(seven), "r"(at), "r"(list), "r"(index) : "memory");
#elif defined(__s390x__)
	register long other __asm__("r1") = -66, seven __asm__("r2") = 7, index __asm__("r5") = 8;
	register const void *at __asm__("r3") = &memory, *list __asm__("r4") = numbers;

	__asm__ volatile(PROBE("operands", "0", "1@65 -4@%%r1 8@%%r2 1@0(%%r3) -2@2(%%r3) -4@4(%%r3) 8@8(%%r3) -4@0(%%r5,%%r4)")
			 : : "r"(other), "r"(seven), "r"(at), "r"(list), "r"(index) : "memory");
#elif defined(__riscv) /* no indexed operands there: the last one's address is in a register */
	register long other __asm__("a1") = -66, seven __asm__("a2") = 7;
	register const void *at __asm__("a3") = &memory, *third __asm__("a4") = numbers + 2;

	__asm__ volatile(PROBE("operands", "0", "1@65 -4@a1 8@a2 1@0(a3) -2@2(a3) -4@4(a3) 8@8(a3) -4@0(a4)")
			 : : "r"(other), "r"(seven), "r"(at), "r"(third) : "memory");
#endif
}

/* The same list of arguments at two places, and without any at a third. */
__attribute__((noinline)) static void pass_twice(void)
{
#if defined(__x86_64__)
	__asm__ volatile(PROBE("twice", "0", "-4@$1 8@%%rdi") : : "D"(5L) : "memory");
	__asm__ volatile(PROBE("twice", "0", "-4@$1 8@%%rdi") : : "D"(6L) : "memory");
	__asm__ volatile(PROBE("bare", "0", ""));
	/* by name, and a register that no program can read */
	__asm__ volatile(PROBE("variable", "0", "-4@usdt_counter(%%rip) -4@usdt_counter+4(%%rip)") : :);
	__asm__ volatile(PROBE("vector", "0", "8f@%%xmm0") : :);
#elif defined(__aarch64__)
	register long five __asm__("x0") = 5, six __asm__("x1") = 6;

	__asm__ volatile(PROBE("twice", "0", "-4@1 8@x0") : : "r"(five) : "memory");
	__asm__ volatile(PROBE("twice", "0", "-4@1 8@x1") : : "r"(six) : "memory");
	__asm__ volatile(PROBE("bare", "0", ""));
#elif defined(__s390x__)
	register long five __asm__("r2") = 5, six __asm__("r3") = 6;

	__asm__ volatile(PROBE("twice", "0", "-4@1 8@%%r2") : : "r"(five) : "memory");
	__asm__ volatile(PROBE("twice", "0", "-4@1 8@%%r3") : : "r"(six) : "memory");
	__asm__ volatile(PROBE("bare", "0", ""));
#elif defined(__riscv)
	register long five __asm__("a0") = 5, six __asm__("a1") = 6;

	__asm__ volatile(PROBE("twice", "0", "-4@1 8@a0") : : "r"(five) : "memory");
	__asm__ volatile(PROBE("twice", "0", "-4@1 8@a1") : : "r"(six) : "memory");
	__asm__ volatile(PROBE("bare", "0", ""));
#endif
}

__attribute__((noinline)) static void pass_guarded(void)
{
	__asm__ volatile(PROBE("guarded", "usdt_semaphore", ""));
}

static void pass_all(void)
{
	memory.byte = 200;
	pass_operands();
	pass_twice();
	if (usdt_semaphore)
		pass_guarded();
}

#ifdef LIBRARY
__attribute__((constructor)) static void pass_at_start(void)
{
	pass_all();
}
#else
int main(int argc, char **argv)
{
	char byte;

	if (argc > 1 && !strcmp(argv[1], "wait")) {
		printf("%d\n", (int)getpid());
		fflush(stdout);
		while (read(0, &byte, 1) == 1) {
			pass_all();
			printf("%u\n", usdt_semaphore);
			fflush(stdout);
		}
	} else {
		pass_all();
		printf("%u\n", usdt_semaphore);
	}
	return 0;
}
#endif
