/* program_test.c -- loading, refused loads and their words, running, asking, pinning: on the running kernel, and on pretended ones. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "asm/asm.h"
#include "program/program.h"

#include "descriptors.h"
#include "test.h"

#define MOV(to, number) { .code = 0xb7, .dst = (to), .imm = (number) }
#define MOVE(to, from) { .code = 0xbf, .dst = (to), .src = (from) }
#define LOAD(size, to, from, offset) { .code = 0x61 | (size), .dst = (to), .src = (from), .off = (offset) }
#define PUT(size, to, offset, number) { .code = 0x62 | (size), .dst = (to), .off = (offset), .imm = (number) }
#define HELPER(number) { .code = 0x85, .imm = (number) }
#define LEAVE { .code = 0x95 }

static struct ebpf_kernel *kernel;

static int load_in(struct ebpf_kernel *in, uint32_t type, const struct ebpf_insn *insns, size_t count, struct ebpf_program **out, struct ebpf_error *err)
{
	struct ebpf_program_load load = { .name = "test.program_with_a_long_name", .license = "GPL", .type = type, .insns = insns,
					  .insn_count = count };

	if (type == BPF_PROG_TYPE_SYSCALL)
		load.flags = BPF_F_SLEEPABLE;
	return ebpf_program_load(in, &load, out, err);
}

static struct ebpf_program *load(uint32_t type, const struct ebpf_insn *insns, size_t count)
{
	struct ebpf_program *program = NULL;
	struct ebpf_error err = { 0 };

	CHECK_INT(load_in(kernel, type, insns, count, &program, &err), 0);
	if (err.code)
		fprintf(stderr, "%s\n%s\n", err.message, err.log ? err.log : "");
	ebpf_error_clear(&err);
	return program;
}

/* -- loading and asking -- */

static void test_info(void)
{
	const struct ebpf_insn insns[] = { MOV(0, 7), LEAVE };
	struct ebpf_program *program = load(BPF_PROG_TYPE_SOCKET_FILTER, insns, 2), *again = NULL;
	struct ebpf_program_info info = { .size = sizeof info }, other = { .size = sizeof other };
	struct ebpf_error err = { 0 };

	if (!program)
		return;
	CHECK_STR(ebpf_program_name(program), "test.program_with_a_long_name");
	CHECK_INT(ebpf_program_type(program), BPF_PROG_TYPE_SOCKET_FILTER);
	CHECK(!ebpf_program_section(program));
	CHECK(!ebpf_program_log(program));
	CHECK_INT(ebpf_program_info(program, &info, &err), 0);
	CHECK(!strncmp(info.name, "test.program_wi", 15) || !strncmp(info.name, "test_program_wi", 15) || !info.name[0]);
	CHECK_INT(info.type, BPF_PROG_TYPE_SOCKET_FILTER);
	CHECK(info.xlated_size >= 16);
	CHECK(info.gpl);
	CHECK_INT(ebpf_program_open_id(kernel, info.id, &again, &err), 0);
	CHECK_INT(ebpf_program_info(again, &other, &err), 0);
	CHECK(!memcmp(info.tag, other.tag, 8));
	CHECK_INT(ebpf_program_type(again), BPF_PROG_TYPE_SOCKET_FILTER);
	CHECK(ebpf_program_ref(again) == again);
	ebpf_program_close(again);
	CHECK_STR(ebpf_program_name(again), info.name);
	ebpf_program_close(again);
	ebpf_program_close(program);
	CHECK_INT(ebpf_program_open_id(kernel, 0x7ffffffe, &again, &err), -ENOENT);
	CHECK_STR(err.message, "program: there is none with id 2147483646");
	ebpf_program_close(NULL);
	ebpf_error_clear(&err);
}

/* A kernel that pretends to be older. */
static void test_masked(void)
{
	const struct ebpf_insn insns[] = { MOV(0, 1), LEAVE };
	struct ebpf_program_load request = { .name = "x", .license = "GPL", .type = BPF_PROG_TYPE_CGROUP_SKB, .insns = insns, .insn_count = 2,
					     .attach_type = BPF_CGROUP_INET_EGRESS, .attach_type_optional = true };
	struct ebpf_kernel *old = ebpf_kernel_new(NULL);
	struct ebpf_program *program = NULL;
	struct ebpf_program_info info = { .size = sizeof info };
	struct ebpf_error err = { 0 };

	CHECK_INT(ebpf_kernel_mask(old, "prog_name", true, &err), 0);
	CHECK_INT(ebpf_kernel_mask(old, "expected_attach_type", true, &err), 0);
	CHECK_INT(ebpf_program_load(old, &request, &program, &err), 0);
	if (program) {
		CHECK_INT(ebpf_program_info(program, &info, &err), 0);
		CHECK_STR(info.name, "");
		CHECK_STR(ebpf_program_name(program), "x");
		CHECK_INT(ebpf_program_attach_type(program), BPF_CGROUP_INET_EGRESS);
		ebpf_program_close(program);
	}
	request.type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR;
	request.attach_type = 12345; /* no kernel has it: the mask is what explains it */
	request.attach_type_optional = false;
	CHECK_INT(ebpf_program_load(old, &request, &program, &err), -EINVAL);
	CHECK(strstr(err.message, "before 4.17"));
	ebpf_kernel_free(old);
	ebpf_error_clear(&err);
}

/* -- refused by the verifier, and its words -- */

struct refusal {
	uint32_t type;
	const char *license, *reason, *hint; /* parts of them; hint NULL = none expected */
	struct ebpf_insn insns[12];
	size_t count;
};

static const struct refusal refusals[] = {
	{ BPF_PROG_TYPE_SOCKET_FILTER, "GPL", "invalid mem access", "bpf_probe_read_kernel",
	  { MOV(1, 0), LOAD(EBPF_DW, 0, 1, 0), LEAVE }, 3 },
	{ BPF_PROG_TYPE_SOCKET_FILTER, "GPL", "!read_ok", "initialise", { LEAVE }, 1 },
	{ BPF_PROG_TYPE_SOCKET_FILTER, "GPL", "stack", "stack", { PUT(EBPF_DW, 10, -520, 0), MOV(0, 0), LEAVE }, 3 },
	{ BPF_PROG_TYPE_SOCKET_FILTER, "GPL", "invalid bpf_context access off=4000", "context",
	  { LOAD(EBPF_W, 0, 1, 4000), LEAVE }, 2 },
	{ BPF_PROG_TYPE_SOCKET_FILTER, "GPL", "#195896080", "CO-RE", { HELPER(195896080), MOV(0, 0), LEAVE }, 3 },
	{ BPF_PROG_TYPE_SOCKET_FILTER, "GPL", "unreachable insn", "remove it", { MOV(0, 0), LEAVE, MOV(0, 0), LEAVE }, 4 },
	{ BPF_PROG_TYPE_TRACEPOINT, "MIT", "GPL", "LICENSE",
	  { MOVE(1, 10), MOV(2, 8), { .code = 0x07, .dst = 1, .imm = -8 }, MOV(3, 0), HELPER(113), MOV(0, 0), LEAVE }, 7 },
	{ BPF_PROG_TYPE_XDP, "GPL", "invalid access to packet", "data_end",
	  { LOAD(EBPF_W, 2, 1, 0), LOAD(EBPF_B, 0, 2, 0), LEAVE }, 3 },
	{ BPF_PROG_TYPE_SOCKET_FILTER, "GPL", "expected=", "pointer",
	  { MOV(1, 5), MOV(2, 8), MOV(3, 0), HELPER(113), MOV(0, 0), LEAVE }, 6 },
	{ BPF_PROG_TYPE_SOCKET_FILTER, "GPL", "loop", "bound",
	  { MOV(0, 0), { .code = 0x55, .dst = 0, .off = -1, .imm = 1 }, LEAVE }, 3 },
};

static void test_refusals(void)
{
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		const struct refusal *refusal = &refusals[i];
		struct ebpf_program_load request = { .name = "r", .license = refusal->license, .type = refusal->type, .insns = refusal->insns,
						     .insn_count = refusal->count };
		struct ebpf_program *program = NULL;
		struct ebpf_error err = { 0 };
		int code = ebpf_program_load(kernel, &request, &program, &err);

		CHECK(code < 0 && err.code == -code);
		CHECK(ebpf_starts_with(err.message, "program 'r': load: refused by the verifier: "));
		CHECK(err.log && err.log[0]);
		if (!strstr(err.message, refusal->reason) || strstr(err.message, "processed") || !strstr(err.hint, refusal->hint)) {
			test_failures++;
			fprintf(stderr, "not ok: refusal %zu: \"%s\", hint \"%s\", log:\n%s\n", i, err.message, err.hint, err.log ? err.log : "");
		}
		ebpf_program_close(program);
		ebpf_error_clear(&err);
	}
}

/* Straight code whose trace takes megabytes. */
static struct ebpf_insn *long_code(size_t count, bool valid)
{
	struct ebpf_insn *insns = calloc(count, sizeof *insns);

	for (size_t i = 0; i < count; i++)
		insns[i] = (struct ebpf_insn)MOV(0, (int)i);
	if (!valid)
		insns[count - 2] = (struct ebpf_insn)LOAD(EBPF_DW, 0, 0, 0);
	insns[count - 1] = (struct ebpf_insn)LEAVE;
	return insns;
}

static void test_long_log(void)
{
	const size_t count = 60000;
	struct ebpf_insn *insns = long_code(count, false);
	struct ebpf_program *program = NULL;
	struct ebpf_error err = { 0 };

	CHECK_INT(load_in(kernel, BPF_PROG_TYPE_SOCKET_FILTER, insns, count, &program, &err), -EACCES);
	CHECK(err.log && strlen(err.log) > 1 << 20);
	CHECK(err.log && strstr(err.log, "0: (b7) r0 = 0"));  /* from the first instruction */
	CHECK(err.log && strstr(err.log, "59998: ")); /* to the last */
	CHECK(strstr(err.message, "invalid mem access"));
	free(insns);
	ebpf_error_clear(&err);
}

static void test_kept_log(void)
{
	const size_t count = 30000;
	struct ebpf_insn *insns = long_code(count, true);
	struct ebpf_program_load request = { .name = "l", .license = "GPL", .type = BPF_PROG_TYPE_SOCKET_FILTER, .insns = insns, .insn_count = count,
					     .log_level = 2 };
	struct ebpf_program *program = NULL;
	struct ebpf_error err = { 0 };

	CHECK_INT(ebpf_program_load(kernel, &request, &program, &err), 0);
	if (program) {
		CHECK(strlen(ebpf_program_log(program)) > 1 << 20);
		CHECK(strstr(ebpf_program_log(program), "processed 30000 insns"));
	}
	ebpf_program_close(program);
	program = NULL;
	request.log_level = 4;
	CHECK_INT(ebpf_program_load(kernel, &request, &program, &err), 0);
	if (program)
		CHECK(strlen(ebpf_program_log(program)) < 1000);
	ebpf_program_close(program);
	free(insns);
	ebpf_error_clear(&err);
}

static void annotate(void *context, char **log)
{
	char *annotated = ebpf_sprintf("%s\nthe map 'm' was not created\n", *log);

	++*(int *)context;
	free(*log);
	*log = annotated;
}

static void test_annotate(void)
{
	const struct ebpf_insn insns[] = { HELPER(2001000000), MOV(0, 0), LEAVE };
	int calls = 0;
	struct ebpf_program_load request = { .name = "a", .license = "GPL", .type = BPF_PROG_TYPE_SOCKET_FILTER, .insns = insns, .insn_count = 3,
					     .annotate = annotate, .annotate_context = &calls };
	struct ebpf_program *program = NULL;
	struct ebpf_error err = { 0 };

	CHECK_INT(ebpf_program_load(kernel, &request, &program, &err), -EINVAL);
	CHECK_INT(calls, 1);
	CHECK(strstr(err.message, "the map 'm' was not created"));
	CHECK(strstr(err.log, "the map 'm' was not created"));
	CHECK_INT(ebpf_program_load(kernel, &request, &program, NULL), -EINVAL); /* nobody wants to know */
	ebpf_error_clear(&err);
}

/* -- refused without a log -- */

static void test_silent_refusals(void)
{
	const struct ebpf_insn insns[] = { MOV(0, 0), LEAVE };
	struct ebpf_program_load request = { .name = "s", .license = "GPL", .insns = insns, .insn_count = 2, .type = 9999 };
	struct ebpf_program *program = NULL;
	struct ebpf_error err = { 0 };
	int code;

	CHECK_INT(ebpf_program_load(kernel, &request, &program, &err), -EINVAL);
	CHECK(strstr(err.message, "program 's': load: type 9999"));
	request.type = BPF_PROG_TYPE_XDP;
	request.flags = 0x40000000;
	CHECK_INT(ebpf_program_load(kernel, &request, &program, &err), -EINVAL);
	CHECK(strstr(err.message, "flags 0x40000000"));
	request.flags = 0;
	request.insn_count = 0;
	CHECK(ebpf_program_load(kernel, &request, &program, &err) < 0);
	request.insn_count = 2;
	request.type = BPF_PROG_TYPE_TRACING;
	request.attach_type = BPF_TRACE_FENTRY;
	request.attach_btf_id = 1;
	code = ebpf_program_load(kernel, &request, &program, &err);
	CHECK(code < 0);
	if (code == -EPERM && ebpf_kernel_has(kernel, "trampoline", NULL) == 0)
		CHECK(strstr(err.message, "trampoline"));
	ebpf_error_clear(&err);
}

/* -- logs as text -- */

struct sample { const char *log, *reason, *source, *hint; };

static const struct sample samples[] = {
	{ "", "", "", NULL },
	{ "processed 3 insns (limit 1000000) max_states_per_insn 0\n", "", "", NULL },
	{ "0: R1=ctx() R10=fp0\n; int x = *p; @ f.c:12\n0: (79) r1 = *(u64 *)(r1 +0)\nR0 invalid mem access 'map_value_or_null'\nprocessed 1 insns\n",
	  "R0 invalid mem access 'map_value_or_null'", "int x = *p; @ f.c:12", "NULL" },
	{ "; return v->a[i];\n12: (71) r0 = *(u8 *)(r1 +0)\n R0=map_value(id=0,off=0,ks=4,vs=8,imm=0) R1_w=inv(id=0)\n"
	  "invalid access to map value, value_size=8 off=8 size=1\nR1 max value is outside of the allowed memory range\nprocessed 13 insns\n\n",
	  "invalid access to map value, value_size=8 off=8 size=1: R1 max value is outside of the allowed memory range", "return v->a[i];", "check the index" },
	{ "; for (;;)\n1: (05) goto pc-1\ninfinite loop detected at insn 1\ncur state: R0=0 R10=fp0\nold state: R0=0 R10=fp0\nprocessed 3 insns",
	  "infinite loop detected at insn 1", "for (;;)", "bpf_loop" },
	{ "0: (95) exit\nUnreleased reference id=2 alloc_insn=7\nBPF_EXIT instruction in main prog would lead to reference leak\nverification time 12 usec\n"
	  "stack depth 8\nprocessed 9 insns\n",
	  "Unreleased reference id=2 alloc_insn=7: BPF_EXIT instruction in main prog would lead to reference leak", "", "submit, discard or release" },
	{ "back-edge from insn 4 to 3\n", "back-edge from insn 4 to 3", "", "unroll" },
	{ "1: (85) call bpf_override_return#58\ncannot call GPL-restricted function from non-GPL compatible program\nprocessed 2 insns\n",
	  "cannot call GPL-restricted function from non-GPL compatible program", "", "LICENSE" },
	{ "BPF program is too large. Processed 1000001 insn\nprocessed 1000001 insns (limit 1000000)\n", "BPF program is too large. Processed 1000001 insn", "",
	  "tail calls" },
	{ "0: (85) call unknown#250\ninvalid func unknown#250\n", "invalid func unknown#250", "", "older" },
	{ "5: (85) call bpf_probe_read#4\nR2 unbounded memory access, use 'var &= const' or 'if (var < const)'\n",
	  "R2 unbounded memory access, use 'var &= const' or 'if (var < const)'", "", "bound" },
	{ "3: (85) call pc+5\nR1 type=scalar expected=fp, pkt, pkt_meta, map_key, map_value\n", "R1 type=scalar expected=fp, pkt, pkt_meta, map_key, map_value", "",
	  "pointer" },
	{ "frame pointer is read only\n", "frame pointer is read only", "", NULL },
	{ "; f(); @ f.c:1\n0: (95) exit\nR0 !read_ok\n\nVerification failed: Register Type Safety: Unreadable register\n\nReason:\n"
	  "  R0 has never\n  been set.\n\nSuggestion:\n  Initialize R0.\n\nprocessed 1 insns\n",
	  "R0 !read_ok", "f(); @ f.c:1", "return a value from every path" },
	{ "a new message\n\nVerification failed: Policy: No\n\nSuggestion:\n  Do\n  not.\n\nprocessed 1 insns\n", "a new message", "", "Do not." },
	{ "Verification failed: Policy: No\n\nSuggestion:\n  Stop", "Verification failed: Policy: No", "", "Stop" },
	{ "cut in the middl", "cut in the middl", "", NULL },
	{ "\n\n\n", "", "", NULL },
};

static void test_summaries(void)
{
	char reason[256], source[128], hint[256], tiny[4];

	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		const struct sample *sample = &samples[i];

		ebpf_verifier_hint(sample->log, hint, sizeof hint);
		ebpf_verifier_summary(sample->log, reason, sizeof reason, source, sizeof source);
		CHECK_STR(reason, sample->reason);
		CHECK_STR(source, sample->source);
		if (sample->hint ? !strstr(hint, sample->hint) : hint[0]) {
			test_failures++;
			fprintf(stderr, "not ok: sample %zu: hint \"%s\"\n", i, hint);
		}
	}
	ebpf_verifier_summary(samples[2].log, tiny, sizeof tiny, NULL, 0);
	CHECK_STR(tiny, "R0 ");
	ebpf_verifier_hint(samples[2].log, tiny, sizeof tiny);
	CHECK_STR(tiny, "che");
}

/* -- running -- */

static void test_run(void)
{
	const struct ebpf_insn insns[] = { LOAD(EBPF_W, 0, 1, 0), LEAVE }; /* the packet's length */
	struct ebpf_program *program = load(BPF_PROG_TYPE_SOCKET_FILTER, insns, 2);
	uint8_t packet[100] = { 0 };
	struct ebpf_run_options options = { .size = sizeof options, .data = packet, .data_size = sizeof packet, .repeat = 1000 };
	struct ebpf_error err = { 0 };

	if (!program)
		return;
	CHECK_INT(ebpf_program_run(program, &options, &err), 0);
	CHECK_INT(options.retval, 100 - 14);
	options.size = 8;
	CHECK_INT(ebpf_program_run(program, &options, &err), -EINVAL);
	options.size = sizeof options;
	options.data = NULL;
	CHECK_INT(ebpf_program_run(program, &options, &err), -EINVAL);
	CHECK(strstr(err.message, "without its bytes"));
	options.data = packet;
	options.data_size = 1; /* less than an Ethernet header */
	CHECK_INT(ebpf_program_run(program, &options, &err), -EINVAL);
	CHECK(err.hint[0]);
	ebpf_program_close(program);
	ebpf_error_clear(&err);
}

static void test_run_data_out(void)
{
	const struct ebpf_insn insns[] = { LOAD(EBPF_W, 2, 1, 0), LOAD(EBPF_W, 3, 1, 4), MOVE(4, 2), { .code = 0x07, .dst = 4, .imm = 1 },
					   { .code = 0x2d, .dst = 4, .src = 3, .off = 1 }, PUT(EBPF_B, 2, 0, 0xab), MOV(0, 2), LEAVE };
	struct ebpf_program *program = load(BPF_PROG_TYPE_XDP, insns, 8);
	uint8_t packet[64] = { 1, 2, 3 }, out[64 + 300];
	struct ebpf_run_options options = { .size = sizeof options, .data = packet, .data_size = sizeof packet, .data_out = out };
	struct ebpf_error err = { 0 };
	static const size_t rooms[] = { 64, sizeof out, 10 };

	if (!program)
		return;
	for (int i = 0; i < 3; i++) {
		memset(out, 0x55, sizeof out);
		options.data_out_size = rooms[i];
		CHECK_INT(ebpf_program_run(program, &options, &err), i < 2 ? 0 : -ENOSPC);
		CHECK_INT(options.retval, EBPF_XDP_PASS);
		CHECK_INT(options.data_out_size, 64);
		CHECK_INT(out[0], 0xab);
		CHECK_INT(out[1], 2);
		CHECK_INT(out[i < 2 ? 64 : 10], 0x55);
	}
	CHECK_INT(packet[0], 1);
	CHECK(strstr(err.message, "64 bytes of data"));
	ebpf_program_close(program);
	ebpf_error_clear(&err);
}

/* A context that comes out changed; what went in stays as it was. */
static void test_run_context(void)
{
	const struct ebpf_insn insns[] = { LOAD(EBPF_W, 6, 1, 0), MOV(2, 42), { .code = 0x63, .dst = 1, .src = 2, .off = 4 },
					   MOVE(0, 6), LEAVE };
	struct ebpf_program *program = NULL;
	uint32_t context[2] = { 11, 22 }, out[2] = { 0 };
	struct ebpf_run_options options = { .size = sizeof options, .context = context, .context_size = sizeof context, .context_out = out,
					    .context_out_size = sizeof out };
	struct ebpf_error err = { 0 };

	if (load_in(kernel, BPF_PROG_TYPE_SYSCALL, insns, 5, &program, &err)) { /* Linux 5.14 */
		CHECK_INT(err.code, EINVAL);
		ebpf_error_clear(&err);
		return;
	}
	CHECK_INT(ebpf_program_run(program, &options, &err), 0);
	CHECK_INT(options.retval, 11);
	CHECK_INT(out[1], 42);
	CHECK_INT(context[1], 22);
	options.context_out_size = 4;
	CHECK_INT(ebpf_program_run(program, &options, &err), -EINVAL);
	ebpf_program_close(program);
	ebpf_error_clear(&err);
}

static void test_run_impossible(void)
{
	const struct ebpf_insn insns[] = { MOV(0, 0), LEAVE };
	struct ebpf_program *program = load(BPF_PROG_TYPE_TRACEPOINT, insns, 2);
	uint8_t packet[64] = { 0 };
	struct ebpf_run_options options = { .size = sizeof options, .data = packet, .data_size = sizeof packet };
	struct ebpf_error err = { 0 };

	if (!program)
		return;
	CHECK_INT(ebpf_program_run(program, &options, &err), -ENOTSUP);
	CHECK(strstr(err.message, "this kernel cannot run programs of type 'tracepoint' on demand"));
	ebpf_program_close(program);
	ebpf_error_clear(&err);
}

/* -- pins -- */

static void test_pins(const char *folder)
{
	const struct ebpf_insn insns[] = { MOV(0, 3), LEAVE };
	struct ebpf_program *program = load(BPF_PROG_TYPE_SOCKET_FILTER, insns, 2), *again = NULL;
	char path[256], moved[256], elsewhere[64] = "/tmp/ebpf_program_test_XXXXXX", plain[128];
	struct ebpf_error err = { 0 };
	union bpf_attr attr;
	int map;

	if (!program)
		return;
	snprintf(path, sizeof path, "%s/program", folder);
	CHECK_INT(ebpf_program_unpin(program, &err), -ENOENT);
	CHECK_INT(ebpf_program_pin(program, path, &err), 0);
	CHECK_INT(ebpf_program_pin(program, path, &err), 0); /* it is there */
	CHECK_INT(ebpf_program_open_pinned(kernel, path, &again, &err), 0);
	CHECK_INT(ebpf_program_type(again), BPF_PROG_TYPE_SOCKET_FILTER);
	snprintf(moved, sizeof moved, "%s/moved", folder);
	CHECK_INT(ebpf_program_pin(program, moved, &err), 0);
	CHECK(access(path, F_OK) && errno == ENOENT);
	CHECK_INT(ebpf_program_pin(again, path, &err), 0); /* its own has gone: pinned anew */
	CHECK_INT(ebpf_program_pin(program, path, &err), -EEXIST);
	CHECK(strstr(err.message, "exists"));
	CHECK_INT(ebpf_program_unpin(program, &err), 0);
	CHECK_INT(ebpf_program_unpin(again, &err), 0);
	ebpf_program_close(again);
	CHECK(access(path, F_OK) && errno == ENOENT);
	CHECK_INT(ebpf_program_pin(program, path, &err), 0);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(ebpf_program_unpin(program, &err), 0); /* somebody else did it: fine */
	CHECK_INT(ebpf_program_open_pinned(kernel, path, &again, &err), -ENOENT);

	CHECK(mkdtemp(elsewhere));
	snprintf(plain, sizeof plain, "%s/program", elsewhere);
	CHECK(ebpf_program_pin(program, plain, &err) < 0);
	CHECK(strstr(err.message, "is not on a BPF file system"));
	rmdir(elsewhere);
	CHECK(ebpf_program_pin(program, "/no/such/folder/program", &err) == -ENOENT);
	CHECK(ebpf_program_open_pinned(kernel, "/etc/passwd", &again, &err) < 0);

	memset(&attr, 0, sizeof attr);
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = attr.value_size = 4;
	attr.max_entries = 1;
	map = ebpf_kernel_sys(kernel)->bpf(BPF_MAP_CREATE, &attr, sizeof attr);
	memset(&attr, 0, sizeof attr);
	attr.pathname = ebpf_ptr(path);
	attr.bpf_fd = (uint32_t)map;
	CHECK_INT(ebpf_kernel_sys(kernel)->bpf(BPF_OBJ_PIN, &attr, sizeof attr), 0);
	CHECK_INT(ebpf_program_open_pinned(kernel, path, &again, &err), -EINVAL);
	CHECK(strstr(err.message, "not a program"));
	close(map);
	unlink(path);
	ebpf_program_close(program);
	ebpf_error_clear(&err);
}

static void test_pins_somewhere(void)
{
	char folder[64] = "/tmp/ebpf_bpffs_XXXXXX";

	if (!mkdtemp(folder))
		return;
	if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("bpf", folder, "bpf", 0, NULL) == 0) {
		test_pins(folder);
		umount(folder);
	}
	rmdir(folder);
}

/* -- other kernels, pretended -- */

static struct {
	int calls, memlock_raises, interrupts, run_code;
	uint32_t sizes[32];
} pretended;

/* As Linux before 5.2: no log of 16 MiB or more, none of which the end is known; this one's never fits. */
static int old_log_bpf(enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	(void)size;
	if (cmd != BPF_PROG_LOAD || attr->insn_cnt != 5)
		return ebpf_sys_linux.bpf(cmd, attr, size);
	if (pretended.calls < 32)
		pretended.sizes[pretended.calls] = attr->log_size;
	pretended.calls++;
	if (!attr->log_level)
		return -EACCES;
	if (attr->log_size >= 1u << 24)
		return -EINVAL;
	memset((char *)(uintptr_t)attr->log_buf, 'x', 100);
	strcpy((char *)(uintptr_t)attr->log_buf + 100, "\nthe head of a long log");
	return -ENOSPC;
}

static void test_log_that_never_fits(void)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	const struct ebpf_insn insns[5] = { MOV(0, 0), MOV(0, 0), MOV(0, 0), MOV(0, 0), LEAVE };
	struct ebpf_program *program = NULL;
	struct ebpf_kernel *old;
	struct ebpf_error err = { 0 };

	memset(&pretended, 0, sizeof pretended);
	sys.bpf = old_log_bpf;
	old = ebpf_kernel_new_with(&sys, NULL);
	CHECK_INT(load_in(old, BPF_PROG_TYPE_SOCKET_FILTER, insns, 5, &program, &err), -EACCES); /* the verdict, not ENOSPC */
	CHECK(err.log && strstr(err.log, "the head of a long log"));
	CHECK_INT(pretended.sizes[0], 0);
	CHECK_INT(pretended.sizes[1], 1 << 20);
	CHECK_INT(pretended.sizes[2], 1 << 22);
	CHECK_INT(pretended.sizes[3], (1 << 24) - 1);
	CHECK_INT(pretended.calls, 5);
	ebpf_kernel_free(old);
	ebpf_error_clear(&err);
}

/* As Linux before 5.11 with its locked memory used up. */
static int memlock_bpf(enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	if (cmd == BPF_PROG_LOAD && attr->insn_cnt == 5 && !pretended.memlock_raises)
		return -EPERM;
	return ebpf_sys_linux.bpf(cmd, attr, size);
}

static int count_raises(int resource, uint64_t soft, uint64_t hard)
{
	(void)resource, (void)soft, (void)hard;
	pretended.memlock_raises++;
	return 0;
}

/* Whatever this process has raised it to already. */
static int low_limit(int resource, uint64_t *soft, uint64_t *hard)
{
	(void)resource;
	*soft = *hard = 8U << 20;
	return 0;
}

static void test_memlock(void)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	const struct ebpf_insn insns[5] = { MOV(0, 0), MOV(0, 0), MOV(0, 0), MOV(0, 0), LEAVE };
	struct ebpf_program *program = NULL;
	struct ebpf_kernel *old;
	struct ebpf_error err = { 0 };

	memset(&pretended, 0, sizeof pretended);
	sys.bpf = memlock_bpf;
	sys.getrlimit = low_limit;
	sys.setrlimit = count_raises;
	old = ebpf_kernel_new_with(&sys, NULL);
	CHECK_INT(ebpf_kernel_mask(old, "memcg_account", true, NULL), 0);
	CHECK_INT(load_in(old, BPF_PROG_TYPE_SOCKET_FILTER, insns, 5, &program, &err), 0);
	CHECK_INT(pretended.memlock_raises, 1);
	ebpf_program_close(program);
	ebpf_kernel_free(old);
	ebpf_error_clear(&err);
}

static int run_bpf(enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	if (cmd != BPF_PROG_RUN)
		return ebpf_sys_linux.bpf(cmd, attr, size);
	pretended.calls++;
	if (pretended.interrupts && pretended.interrupts--)
		return -EINTR;
	if (pretended.run_code)
		return pretended.run_code;
	/* as Linux before 5.0: the size of data_out is no matter */
	memset((char *)(uintptr_t)attr->test.data_out, 0x77, attr->test.data_size_in + 256);
	attr->test.data_size_out = attr->test.data_size_in + 256;
	return 0;
}

static void test_run_old(void)
{
	struct ebpf_sys sys = ebpf_sys_linux;
	const struct ebpf_insn insns[] = { MOV(0, 0), LEAVE };
	uint8_t packet[64] = { 0 }, out[80];
	struct ebpf_run_options options = { .size = sizeof options, .data = packet, .data_size = 64, .data_out = out, .data_out_size = 64 };
	struct ebpf_program *program = NULL;
	struct ebpf_kernel *old;
	struct ebpf_error err = { 0 };

	memset(&pretended, 0, sizeof pretended);
	memset(out, 0x55, sizeof out);
	sys.bpf = run_bpf;
	old = ebpf_kernel_new_with(&sys, NULL);
	CHECK_INT(load_in(old, BPF_PROG_TYPE_SOCKET_FILTER, insns, 2, &program, &err), 0);
	CHECK_INT(ebpf_program_run(program, &options, &err), -ENOSPC);
	CHECK_INT(options.data_out_size, 320);
	CHECK_INT(out[63], 0x77);
	CHECK_INT(out[64], 0x55);
	pretended.calls = 0;
	pretended.interrupts = 5;
	options.data_out = NULL;
	options.data_out_size = 0;
	pretended.run_code = -524;
	CHECK_INT(ebpf_program_run(program, &options, &err), -ENOTSUP);
	CHECK_INT(pretended.calls, 6);
	pretended.interrupts = 1 << 20;
	CHECK_INT(ebpf_program_run(program, &options, &err), -EINTR);
	ebpf_program_close(program);
	ebpf_kernel_free(old);
	ebpf_error_clear(&err);
}

int main(void)
{
	int before;

	kernel = ebpf_kernel_new(NULL);
	test_info();
	test_silent_refusals();
	test_pins_somewhere();
	before = open_fds(); /* the context has opened by now what it keeps */
	test_info();
	test_masked();
	test_refusals();
	test_long_log();
	test_kept_log();
	test_annotate();
	test_silent_refusals();
	test_summaries();
	test_run();
	test_run_data_out();
	test_run_context();
	test_run_impossible();
	test_pins_somewhere();
	test_log_that_never_fits();
	test_memlock();
	test_run_old();
	CHECK_INT(open_fds(), before);
	ebpf_kernel_free(kernel);
	return TEST_RESULT();
}
