/* log.c -- reading a verifier log: which of its lines say why, and what to try then.
 *
 * The log is a trace: instructions ("3: (79) r1 = ..."), states ("3: R1=ctx()", "from 4 to 9: ..."), source lines ("; x
 * = *y; @ f.c:3"), and, last but for statistics, the cause in one to three lines. A few causes are followed by a dump
 * of states (loops).
 */
#include <ctype.h>
#include <stdio.h>

#include "program/program.h"

enum { CAUSE_LINES = 4 };

struct line {
	const char *text;
	size_t size;
};

enum line_kind { LINE_CAUSE, LINE_SOURCE, LINE_TRACE, LINE_NOISE };

static bool begins(struct line line, const char *prefix)
{
	size_t size = strlen(prefix);

	return line.size >= size && !memcmp(line.text, prefix, size);
}

static bool has(struct line line, const char *part)
{
	return memmem(line.text, line.size, part, strlen(part)) != NULL;
}

/* "12: (b7) r0 = 0", "12: R0=1 R10=fp0", "12:" */
static bool is_numbered(struct line line)
{
	size_t at = 0;

	while (at < line.size && isdigit((unsigned char)line.text[at]))
		at++;
	return at && at < line.size && line.text[at] == ':';
}

/* " R0=inv(id=0) R1=ctx(...)", "R0_w=1 R10=fp0", "frame1: R1=...", "caller:": registers and what is known of them. */
static bool is_state(struct line line)
{
	size_t at = line.size && line.text[0] == ' ' ? 1 : 0;

	if (begins(line, "frame") && line.size > 5 && isdigit((unsigned char)line.text[5]))
		return true;
	if (at + 1 >= line.size || line.text[at] != 'R' || !isdigit((unsigned char)line.text[at + 1]))
		return false;
	for (at += 2; at < line.size && isdigit((unsigned char)line.text[at]); at++)
		;
	return at < line.size && (line.text[at] == '=' || line.text[at] == '_');
}

static enum line_kind classify(struct line line)
{
	static const char *const noise[] = {
		"processed ", "verification time ", "stack depth ", "insns processed", "func#", "mark_precise",
		"last_idx", "first_idx", "regs=", "parent ", "propagating ", "caller:", "callee:",
		"returning from callee", "to caller at", "from ", "cur state", "old state", "reg type", "safe",
		"Live regs", "live regs", "verifying ", "Func#", "Validating ", "total_states", "max_states",
		"REG INVARIANTS", "peak_states",
	};

	if (begins(line, "; "))
		return LINE_SOURCE;
	if (is_numbered(line))
		return LINE_TRACE;
	if (!line.size || is_state(line))
		return LINE_NOISE;
	for (size_t i = 0; i < EBPF_COUNT(noise); i++)
		if (begins(line, noise[i]))
			return LINE_NOISE;
	return LINE_CAUSE;
}

/* The line before `at` (the end, or the start of a later line) of a text that starts at `start`. False at the start. */
static bool line_before(const char *start, const char **at, struct line *line)
{
	const char *end = *at, *from;

	if (end == start)
		return false;
	end--; /* the newline */
	if (*end != '\n')
		end++; /* the last line of a cut log has none */
	for (from = end; from > start && from[-1] != '\n'; from--)
		;
	line->text = *at = from;
	line->size = (size_t)(end - from);
	while (line->size && isspace((unsigned char)line->text[line->size - 1]))
		line->size--;
	return true;
}

/* Lines of the cause, last first; `at` ends above them. */
static size_t find_cause(const char *log, const char **at, struct line lines[CAUSE_LINES])
{
	size_t count = 0;
	struct line line;

	while (count < CAUSE_LINES) {
		const char *before = *at;

		if (!line_before(log, at, &line))
			break;
		if (classify(line) == LINE_CAUSE) {
			lines[count++] = line;
		} else if (count) {
			*at = before;
			break;
		}
	}
	return count;
}

static void copy(char *text, size_t size, struct line line, const char *separator)
{
	size_t used = strlen(text);

	while (line.size && isspace((unsigned char)line.text[0])) {
		line.text++;
		line.size--;
	}
	if (used < size)
		snprintf(text + used, size - used, "%s%.*s", used ? separator : "",
			 (int)(line.size < size ? line.size : size), line.text);
}

static void find_source(const char *log, const char *at, char *source, size_t size)
{
	struct line line;

	while (line_before(log, &at, &line)) {
		if (classify(line) != LINE_SOURCE)
			continue;
		line.text += 2;
		line.size -= 2;
		copy(source, size, line, "");
		return;
	}
}

/* Linux 7.3 writes a report for people behind the cause: "Verification failed: <what>: <what>", then paragraphs with
 * headings. Its place, or the log's end. */
static const char *find_report(const char *log)
{
	static const char heading[] = "Verification failed: ";

	for (const char *at = strstr(log, heading); at; at = strstr(at + 1, heading))
		if (at == log || at[-1] == '\n')
			return at;
	return log + strlen(log);
}

void ebpf_verifier_summary(const char *log, char *reason, size_t reason_size, char *source, size_t source_size)
{
	const char *report = find_report(log), *at = report;
	struct line lines[CAUSE_LINES];
	size_t count;

	if (reason_size)
		reason[0] = '\0';
	if (source_size)
		source[0] = '\0';
	count = find_cause(log, &at, lines);
	if (!count && *report) { /* nothing but the report: its heading */
		at = report;
		lines[count++] = (struct line){ report, strcspn(report, "\n") };
	}
	for (size_t i = count; reason_size && i-- > 0;)
		copy(reason, reason_size, lines[i], ": ");
	if (count && source_size)
		find_source(log, at, source, source_size);
}

/* -- what to try -- */

struct hint {
	const char *first, *second; /* both in one line of the cause; second may be NULL */
	const char *text;
};

/* Advice that several messages share. */
static const char not_a_pointer[] =
	"the register holds a number, not a pointer that may be followed: read through "
	"bpf_probe_read_kernel() or BPF_CORE_READ(), and do not compute with pointers";
static const char not_memory[] =
	"the helper wants a pointer to memory that the program owns (stack, map value, context): pass the "
	"address of a local variable";
static const char not_released[] =
	"on some path, what was acquired (a reserved record, a socket, a task, a lock) is not given back: "
	"submit, discard or release it before every return";
static const char no_bound[] =
	"the verifier cannot see that the loop ends: give it a constant bound, or use bpf_loop() (5.17) or "
	"bpf_for() (6.4)";
static const char too_large[] =
	"too many paths or loop rounds to verify: shorten loops, move code to global functions (5.6), use "
	"bpf_loop() (5.17), or tail calls";
static const char outside[] =
	"check the index or size against the end of the memory before the access";
static const char packet[] =
	"compare with data_end before the access: if (ptr + size > data_end) return ...;";
static const char padding[] =
	"initialise the whole variable, its padding included, before its address is passed on: = {} or memset";
static const char privilege[] =
	"allowed with CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN) alone";

/* More special ones first. Messages are those of Linux 4.19 to 7.0. */
static const struct hint hints[] = {
	{ "CO-RE relocation", NULL,
	  "the kernel's types lack what the program reads: guard it with bpf_core_field_exists() or "
	  "bpf_core_type_exists(), or use a flavour" },
	{ "#195896080", NULL,
	  "a CO-RE relocation that could not be resolved is reached: guard it with bpf_core_field_exists() or "
	  "bpf_core_type_exists()" },
	{ "_or_null'", NULL, "check the pointer against NULL before it is used" },
	{ "Possibly NULL pointer", NULL, "check the pointer against NULL before it is passed on" },
	{ "expected=", "_or_null", "check the pointer against NULL before it is passed on" },
	{ "invalid mem access 'scalar'", NULL, not_a_pointer },
	{ "invalid mem access 'inv'", NULL, not_a_pointer },
	{ "type=scalar expected=", NULL, not_memory },
	{ "type=inv expected=", NULL, not_memory },
	{ "type=", "expected=", "an argument of the call is of another kind than the helper wants" },
	{ "nreleased reference", NULL, not_released },
	{ "would lead to reference leak", NULL, not_released },
	{ "must be referenced", NULL,
	  "the pointer must come from an acquiring call, or be trusted: take a reference first, or read it under "
	  "bpf_rcu_read_lock()" },
	{ "back-edge", NULL, "kernels before 5.3 take no loops: unroll it (#pragma unroll)" },
	{ "infinite loop detected", NULL, no_bound },
	{ "loop is not", NULL, no_bound },
	{ "sequence of", "jumps is too complex",
	  "too many branches in a row: shorten loops, move code to global functions (5.6), or use bpf_loop() (5.17)" },
	{ "program is too large", NULL, too_large },
	{ "program too large", NULL, too_large },
	{ "GPL-restricted", NULL, "the helper is for GPL programs alone: char LICENSE[] SEC(\"license\") = \"GPL\"" },
	{ "GPL compatible", NULL,
	  "the function is for GPL programs alone: char LICENSE[] SEC(\"license\") = \"GPL\"" },
	{ "unknown func", NULL,
	  "the kernel does not offer this helper to programs of this type: it may be older than the helper, or the "
	  "type the wrong one" },
	{ "invalid func", NULL, "this kernel is older than the helper, or the number is of none" },
	{ "program of this type cannot use helper", NULL, "the helper is not for programs of this type" },
	{ "is not allowed in probe", NULL, "the helper is not for tracing programs" },
	{ "calling kernel function", "is not allowed",
	  "the kernel does not offer this function to programs of this type" },
	{ "unbounded memory access", NULL,
	  "bound the length or index before its use: if (len > sizeof(buf)) return 0; or len &= sizeof(buf) - 1; "
	  "with an unsigned variable" },
	{ "min value is negative", NULL,
	  "the length or index may be negative: make it unsigned, or check it against 0" },
	{ "unbounded min value", NULL, "the value may be negative: make it unsigned, or check it against 0" },
	{ "invalid access to packet", NULL, packet },
	{ "outside of the packet", NULL, packet },
	{ "max value is outside", NULL, outside },
	{ "min value is outside", NULL, "check the index or size against both ends of the memory before the access" },
	{ "outside of the allowed memory range", NULL, outside },
	{ "invalid access to map value", NULL,
	  "the access goes beyond the map's value: check the index or size before it" },
	{ "write into map forbidden", NULL, "the map is read-only for programs (.rodata, or BPF_F_RDONLY_PROG)" },
	{ "combined stack size", NULL,
	  "512 bytes of stack are for all nested calls together: move large variables to a per-CPU array" },
	{ "indirect read from stack", NULL, padding },
	{ "indirect access to stack", NULL, padding },
	{ "invalid read from stack", NULL, "initialise the variable before it is read" },
	{ "invalid stack", NULL,
	  "the access goes outside of the program's 512 bytes of stack, or at an offset that the verifier does not "
	  "know" },
	{ "invalid write to stack", NULL, "the access goes outside of the program's 512 bytes of stack" },
	{ "variable-offset", "stack", "index the stack by constants alone, or move the array to a map" },
	{ "!read_ok", NULL,
	  "the register has no value on some path: initialise the variable, or return a value from every path" },
	{ "invalid bpf_context access", NULL,
	  "this field of the context does not exist for the program's type (or kernel), or may not be accessed in "
	  "this size" },
	{ "dereference of modified ctx ptr", NULL, "access the context by constant offsets from its own pointer" },
	{ "attach_btf_id", NULL, "the function to attach to does not exist in this kernel, or cannot be traced" },
	{ "Unsupported", "func_model", "the traced function has arguments that trampolines cannot pass" },
	{ "At program exit", "should have been in", "the program returns a number that its type does not allow" },
	{ "misaligned", NULL,
	  "the address is not a multiple of the access's size: read by bytes, or align the field" },
	{ "pointer comparison prohibited", NULL,
	  "without CAP_PERFMON pointers may not be compared or stored where others see them" },
	{ "leaks addr", NULL, "without CAP_PERFMON kernel addresses may not be stored or returned" },
	{ "!root", NULL, privilege },
	{ "CAP_SYS_ADMIN", NULL, privilege },
	{ "ermission denied", NULL, privilege },
	{ "unreachable insn", NULL, "some instruction can never be reached: remove it" },
	{ "jump out of range", NULL, "a jump leaves the function" },
	{ "last insn is not an exit", NULL, "the function must end with exit or a jump" },
	{ "may be sleeping", NULL,
	  "the helper sleeps: make the program sleepable (section \"fentry.s\", \"lsm.s\", ...)" },
	{ "sleepable", NULL,
	  "the program must be sleepable, or must not be, for this: see the section's \".s\" form" },
	{ "missing unlock", NULL, "a lock is still held on some path: bpf_spin_unlock() before every return" },
	{ "while holding a lock", NULL,
	  "nothing but plain memory accesses is allowed between bpf_spin_lock() and bpf_spin_unlock()" },
	{ "missing BTF", NULL, "compile with -g, so that the object has BTF" },
	{ "BTF", "invalid",
	  "the kernel does not take the program's type information: compile with another compiler version, or "
	  "without -g" },
};

static const char *find_hint(const struct line *lines, size_t count)
{
	for (size_t i = 0; i < EBPF_COUNT(hints); i++)
		for (size_t j = 0; j < count; j++)
			if (has(lines[j], hints[i].first) && (!hints[i].second || has(lines[j], hints[i].second)))
				return hints[i].text;
	return NULL;
}

/* The paragraph of the report under "Suggestion:", on one line. */
static void copy_suggestion(const char *report, char *text, size_t size)
{
	const char *at = strstr(report, "\nSuggestion:\n");

	if (!at)
		return;
	for (at += strlen("\nSuggestion:\n"); *at == ' '; at += *at == '\n') {
		struct line line = { at, strcspn(at, "\n") };

		copy(text, size, line, " ");
		at += line.size;
	}
}

void ebpf_verifier_hint(const char *log, char *text, size_t size)
{
	const char *report = find_report(log), *at = report, *hint;
	struct line lines[CAUSE_LINES];

	if (!size)
		return;
	text[0] = '\0';
	hint = find_hint(lines, find_cause(log, &at, lines));
	if (hint)
		snprintf(text, size, "%s", hint);
	else
		copy_suggestion(report, text, size);
}
