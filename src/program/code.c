/* code.c -- what the kernel made of a program: translated instructions, machine code, functions, lines.
 *
 * The kernel is asked several times: first how much there is of each, then for all but the code, then for the translated
 * instructions and for the machine code alone: where it may not show one of these (kernel.kptr_restrict with
 * kernel.bpf_jit_harden), it leaves out all that comes after it as well.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "program/program.h"

enum { WIDE_LOAD = 0x18, CALL = 0x85, MAP_FD = 1, MAP_VALUE = 2, FUNC = 4, PSEUDO_CALL = 1, PSEUDO_KFUNC = 2 };

/* Numbers of the kernel's that memory is made for; no program has as much. */
enum { MOST_CODE = 256 << 20, MOST_ITEMS = 16 << 20 };

struct code {
	struct ebpf_program_code public; /* must be first */
	struct ebpf_btf *btf;            /* what names and lines point into, or NULL */
	struct ebpf_insn *insns;
	struct ebpf_program_function *functions;
	struct ebpf_program_reference *references;
	struct ebpf_source_line *lines;
	uint8_t *jited;
	uint32_t *map_ids;
	char **map_names;
	uint64_t *ksyms, *line_addresses;
	uint32_t *func_lens;
	uint8_t (*tags)[8];
	struct bpf_func_info *func_info;
	struct bpf_line_info *line_info;
	char **texts; /* prototypes, names of kernel functions */
	size_t text_count, text_capacity;
};

/* -- asking -- */

static void *make(uint32_t count, size_t size)
{
	return count > MOST_ITEMS ? NULL : calloc(count + (size_t)1, size);
}

/* All but the code. */
static int ask_tables(struct ebpf_program *program, struct code *code, const struct bpf_prog_info *counts,
                      struct bpf_prog_info *info, struct ebpf_error *err)
{
	memset(info, 0, sizeof *info);
	code->map_ids = make(counts->nr_map_ids, sizeof *code->map_ids);
	code->ksyms = make(counts->nr_jited_ksyms, sizeof *code->ksyms);
	code->func_lens = make(counts->nr_jited_func_lens, sizeof *code->func_lens);
	code->func_info = make(counts->nr_func_info, sizeof *code->func_info);
	code->line_info = make(counts->nr_line_info, sizeof *code->line_info);
	code->line_addresses = make(counts->nr_jited_line_info, sizeof *code->line_addresses);
	code->tags = make(counts->nr_prog_tags, sizeof *code->tags);
	if (!code->map_ids || !code->ksyms || !code->func_lens || !code->func_info || !code->line_info || !code->line_addresses ||
	    !code->tags)
		return ebpf_fail_memory(err);
	info->nr_map_ids = counts->nr_map_ids;
	info->map_ids = ebpf_ptr(code->map_ids);
	info->nr_jited_ksyms = counts->nr_jited_ksyms;
	info->jited_ksyms = ebpf_ptr(code->ksyms);
	info->nr_jited_func_lens = counts->nr_jited_func_lens;
	info->jited_func_lens = ebpf_ptr(code->func_lens);
	info->nr_prog_tags = counts->nr_prog_tags;
	info->prog_tags = ebpf_ptr(code->tags);
	if (counts->nr_func_info) { /* before 5.0 a kernel refuses what it does not know, unless it is zero */
		info->nr_func_info = counts->nr_func_info;
		info->func_info_rec_size = sizeof *code->func_info;
		info->func_info = ebpf_ptr(code->func_info);
	}
	if (counts->nr_line_info) {
		info->nr_line_info = counts->nr_line_info;
		info->line_info_rec_size = sizeof *code->line_info;
		info->line_info = ebpf_ptr(code->line_info);
	}
	if (counts->nr_jited_line_info) {
		info->nr_jited_line_info = counts->nr_jited_line_info;
		info->jited_line_info_rec_size = sizeof *code->line_addresses;
		info->jited_line_info = ebpf_ptr(code->line_addresses);
	}
	return ebpf_program_raw_info(program, info, err);
}

static int ask_code(struct ebpf_program *program, struct code *code, const struct bpf_prog_info *counts, struct ebpf_error *err)
{
	struct bpf_prog_info info = {.xlated_prog_len = counts->xlated_prog_len};
	int result = 0;

	if (counts->xlated_prog_len > MOST_CODE || counts->jited_prog_len > MOST_CODE)
		return ebpf_fail(err, E2BIG, "program '%s': code of %u and %u bytes", ebpf_program_name(program),
		                 counts->xlated_prog_len, counts->jited_prog_len);
	code->insns = calloc(counts->xlated_prog_len / 8 + (size_t)1, sizeof *code->insns);
	code->jited = malloc(counts->jited_prog_len + (size_t)1);
	if (!code->insns || !code->jited)
		return ebpf_fail_memory(err);
	if (counts->xlated_prog_len) {
		info.xlated_prog_insns = ebpf_ptr(code->insns);
		result = ebpf_program_raw_info(program, &info, err);
		if (!result && info.xlated_prog_insns && info.xlated_prog_len <= counts->xlated_prog_len) {
			code->public.insns = code->insns;
			code->public.insn_count = info.xlated_prog_len / 8;
		}
	}
	if (!result && counts->jited_prog_len) {
		info = (struct bpf_prog_info){.jited_prog_len = counts->jited_prog_len, .jited_prog_insns = ebpf_ptr(code->jited)};
		result = ebpf_program_raw_info(program, &info, err);
		if (!result && info.jited_prog_insns && info.jited_prog_len <= counts->jited_prog_len) {
			code->public.jited = code->jited;
			code->public.jited_size = info.jited_prog_len;
		}
	}
	code->public.insns_hidden = !code->public.insns; /* none is empty */
	/* without CAP_BPF the kernel does not even tell that there is machine code */
	code->public.jited_hidden = !code->public.jited && (counts->jited_prog_len || !counts->xlated_prog_len);
	return result;
}

/* -- texts that belong to the code -- */

static const char *keep(struct code *code, char *text)
{
	char **grown = text ? ebpf_grow(code->texts, &code->text_capacity, code->text_count, sizeof *grown) : NULL;

	if (!grown) {
		free(text);
		return NULL;
	}
	code->texts = grown;
	code->texts[code->text_count++] = text;
	return text;
}

/* -- functions -- */

static bool is_wide(const struct ebpf_insn *insn)
{
	return insn->code == WIDE_LOAD;
}

/* A call of another function of the program. Once it has been compiled, the kernel leaves the distance in `off`, as far as it fits,
 * and the number of the function in imm. */
static bool is_call(const struct ebpf_insn *insn)
{
	return insn->code == CALL && insn->src == PSEUDO_CALL;
}

static int name_function(struct code *code, size_t index)
{
	struct ebpf_program_function *function = &code->functions[index];
	struct ebpf_buffer text = {0};
	struct ebpf_type type;

	if (!code->btf || !ebpf_btf_type(code->btf, code->func_info[index].type_id, &type) || type.kind != BTF_KIND_FUNC)
		return 0;
	function->name = type.name;
	ebpf_btf_write_prototype(code->btf, type.id, &text);
	if (!text.data)
		return 0;
	function->prototype = keep(code, text.failed ? NULL : text.data);
	if (text.failed)
		ebpf_buffer_free(&text);
	return function->prototype ? 0 : -ENOMEM;
}

/* Where each function starts: from its BTF record, else from the calls that go there. */
static void place_functions(struct code *code, const struct bpf_prog_info *info)
{
	size_t count = code->public.function_count;

	for (size_t i = 0; i < info->nr_func_info && i < count; i++)
		code->functions[i].insn = code->func_info[i].insn_off;
	for (size_t at = 0; !info->nr_func_info && info->jited_prog_len && at < code->public.insn_count; at++) {
		const struct ebpf_insn *insn = &code->insns[at];

		if (is_call(insn) && insn->imm > 0 && (uint32_t)insn->imm < count)
			code->functions[insn->imm].insn = (uint32_t)((int64_t)at + 1 + insn->off);
		at += is_wide(insn);
	}
}

static int fill_functions(struct ebpf_program *program, struct code *code, const struct bpf_prog_info *info, struct ebpf_error *err)
{
	uint32_t count = info->nr_func_info > info->nr_jited_func_lens ? info->nr_func_info : info->nr_jited_func_lens;
	uint32_t offset = 0;

	count = count ? count : 1;
	code->functions = make(count, sizeof *code->functions);
	if (!code->functions)
		return ebpf_fail_memory(err);
	code->public.functions = code->functions;
	code->public.function_count = count;
	place_functions(code, info);
	for (uint32_t i = 0; i < count; i++) {
		struct ebpf_program_function *function = &code->functions[i];

		function->name = function->prototype = "";
		if (i < info->nr_jited_func_lens && info->jited_func_lens) {
			function->jited_offset = offset;
			function->jited_size = code->func_lens[i];
			offset += code->func_lens[i];
		}
		if (i < info->nr_jited_ksyms && info->jited_ksyms)
			function->address = code->ksyms[i];
		if (i < info->nr_prog_tags && info->prog_tags)
			memcpy(function->tag, code->tags[i], sizeof function->tag);
		if (i < info->nr_func_info && name_function(code, i))
			return ebpf_fail_memory(err);
	}
	if (!*code->functions[0].name)
		code->functions[0].name = ebpf_program_name(program);
	return 0;
}

/* -- lines -- */

static int fill_lines(struct code *code, const struct bpf_prog_info *info, struct ebpf_error *err)
{
	if (!code->btf || !info->nr_line_info)
		return 0;
	code->lines = make(info->nr_line_info, sizeof *code->lines);
	if (!code->lines)
		return ebpf_fail_memory(err);
	for (uint32_t i = 0; i < info->nr_line_info; i++) {
		const struct bpf_line_info *from = &code->line_info[i];

		code->lines[i] = (struct ebpf_source_line){
		        .insn = from->insn_off,
		        .file = ebpf_btf_string(code->btf, from->file_name_off),
		        .text = ebpf_btf_string(code->btf, from->line_off),
		        .number = BPF_LINE_INFO_LINE_NUM(from->line_col),
		        .column = BPF_LINE_INFO_LINE_COL(from->line_col),
		};
	}
	code->public.lines = code->lines;
	code->public.line_count = info->nr_line_info;
	if (info->nr_jited_line_info == info->nr_line_info && info->jited_line_info)
		code->public.line_addresses = code->line_addresses;
	return 0;
}

/* -- references -- */

static const char *map_name(const struct ebpf_program *program, struct code *code, uint32_t id)
{
	const struct ebpf_sys *sys = ebpf_kernel_sys(program->kernel);
	struct bpf_map_info info = {0};
	union bpf_attr attr;
	size_t index = 0;
	int fd;

	while (index < code->public.map_count && code->map_ids[index] != id)
		index++;
	if (index == code->public.map_count)
		return "";
	if (code->map_names[index])
		return code->map_names[index];
	memset(&attr, 0, sizeof attr);
	attr.map_id = id;
	fd = sys->bpf(BPF_MAP_GET_FD_BY_ID, &attr, EBPF_ATTR_SIZE(open_flags));
	if (fd < 0)
		return "";
	memset(&attr, 0, sizeof attr);
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof info;
	attr.info.info = ebpf_ptr(&info);
	if (sys->bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, EBPF_ATTR_SIZE(info)) < 0)
		info.name[0] = '\0';
	sys->close(fd);
	code->map_names[index] = ebpf_strndup(info.name, sizeof info.name);
	return code->map_names[index] ? code->map_names[index] : "";
}

static const char *function_at(const struct code *code, int64_t insn)
{
	for (size_t i = 0; i < code->public.function_count; i++)
		if (code->functions[i].insn == insn)
			return code->functions[i].name;
	return "";
}

/* Brings a call into the form that an instruction has before it is loaded: the distance in imm. */
static void restore_call(const struct code *code, size_t at)
{
	struct ebpf_insn *insn = &code->insns[at];

	if (!insn->off)
		return;
	if (insn->imm >= 0 && (size_t)insn->imm < code->public.function_count && code->functions[insn->imm].insn)
		insn->imm = (int32_t)((int64_t)code->functions[insn->imm].insn - (int64_t)at - 1);
	else
		insn->imm = insn->off;
	insn->off = 0;
}

static void add_reference(const struct ebpf_program *program, struct code *code, size_t at)
{
	const struct ebpf_insn *insn = &code->insns[at];
	struct ebpf_program_reference *to = &code->references[code->public.reference_count];

	*to = (struct ebpf_program_reference){.insn = (uint32_t)at, .name = ""};
	if (is_wide(insn) && (insn->src == MAP_FD || insn->src == MAP_VALUE)) {
		to->kind = insn->src == MAP_FD ? EBPF_REF_MAP : EBPF_REF_MAP_VALUE;
		to->id = (uint32_t)insn->imm;
		to->name = map_name(program, code, to->id);
		to->addend = insn->src == MAP_VALUE && at + 1 < code->public.insn_count ? (uint32_t)insn[1].imm : 0;
	} else if (is_wide(insn) && insn->src == FUNC) {
		to->kind = EBPF_REF_FUNCTION;
		to->name = function_at(code, (int64_t)at + 1 + insn->imm);
	} else if (is_call(insn)) {
		restore_call(code, at);
		to->kind = EBPF_REF_CALL;
		to->name = function_at(code, (int64_t)at + 1 + insn->imm);
	} else if (insn->code == CALL) {
		to->kind = EBPF_REF_EXTERN;
	} else {
		return;
	}
	code->public.reference_count++;
}

static int compare_addresses(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static bool calls_kernel(const struct code *code, const struct ebpf_program_reference *reference)
{
	return reference->kind == EBPF_REF_EXTERN && code->insns[reference->insn].imm;
}

static uint64_t called_address(const struct code *code, const struct ebpf_program_reference *reference, uint64_t base)
{
	return base + (uint64_t)(int64_t)code->insns[reference->insn].imm;
}

/* The kernel has put the distance from __bpf_call_base in the place of a helper's number. Where addresses are hidden there is 0,
 * and nothing can be said. A kfunc that is too far away keeps the number of its type (x86 since 6.1). */
static void name_kernel_functions(struct ebpf_program *program, struct code *code)
{
	static const char *const base_name = "__bpf_call_base";
	size_t count = 0;
	uint64_t base = 0, *addresses = make((uint32_t)code->public.reference_count, sizeof *addresses);
	char **names = make((uint32_t)code->public.reference_count, sizeof *names);
	struct ebpf_btf *kernel_btf = NULL;
	struct ebpf_type type;

	for (size_t i = 0; addresses && i < code->public.reference_count; i++)
		count += calls_kernel(code, &code->references[i]);
	if (!count || !names || ebpf_kernel_symbols(program->kernel, &base_name, &base, 1, NULL) < 0 || !base)
		goto out;
	count = 0;
	for (size_t i = 0; i < code->public.reference_count; i++)
		if (calls_kernel(code, &code->references[i]))
			addresses[count++] = called_address(code, &code->references[i], base);
	qsort(addresses, count, sizeof *addresses, compare_addresses);
	if (ebpf_kernel_symbol_names(program->kernel, addresses, names, count, NULL) < 0)
		goto out;
	for (size_t i = 0; i < code->public.reference_count; i++) {
		struct ebpf_program_reference *reference = &code->references[i];
		const struct ebpf_insn *insn = &code->insns[reference->insn];
		uint64_t address = called_address(code, reference, base), *found;

		if (!calls_kernel(code, reference))
			continue;
		found = bsearch(&address, addresses, count, sizeof *addresses, compare_addresses);
		if (found && names[found - addresses]) {
			const char *name = keep(code, ebpf_strdup(names[found - addresses]));

			reference->name = name ? name : "";
		} else if (insn->src == PSEUDO_KFUNC && !insn->off) {
			kernel_btf = kernel_btf ? kernel_btf : ebpf_kernel_btf(program->kernel, NULL);
			if (kernel_btf && ebpf_btf_type(kernel_btf, (uint32_t)insn->imm, &type) && type.kind == BTF_KIND_FUNC)
				reference->name = type.name; /* the context keeps these types */
		}
	}
out:
	for (size_t i = 0; names && i < count; i++)
		free(names[i]);
	free(names);
	free(addresses);
}

static int fill_references(struct ebpf_program *program, struct code *code, struct ebpf_error *err)
{
	size_t count = 0;

	code->public.map_ids = code->map_ids;
	code->map_names = make((uint32_t)code->public.map_count, sizeof *code->map_names);
	for (size_t at = 0; at < code->public.insn_count; at++)
		count += code->insns[at].code == CALL || is_wide(&code->insns[at]);
	code->references = calloc(count + 1, sizeof *code->references);
	if (!code->references || !code->map_names)
		return ebpf_fail_memory(err);
	for (size_t at = 0; at < code->public.insn_count; at++) {
		add_reference(program, code, at);
		at += is_wide(&code->insns[at]);
	}
	code->public.references = code->references;
	name_kernel_functions(program, code);
	return 0;
}

/* -- the interface -- */

int ebpf_program_code_read(struct ebpf_program *program, struct ebpf_program_code **out, struct ebpf_error *err)
{
	struct code *code = calloc(1, sizeof *code);
	struct bpf_prog_info counts = {0}, info;
	int result;

	if (!code)
		return ebpf_fail_memory(err);
	result = ebpf_program_raw_info(program, &counts, err);
	if (!result)
		result = ask_tables(program, code, &counts, &info, err);
	if (!result)
		result = ask_code(program, code, &counts, err);
	if (!result && counts.btf_id) /* who may not see its types (CAP_SYS_ADMIN) gets the code without them */
		ebpf_kernel_btf_by_id(program->kernel, counts.btf_id, &code->btf, NULL);
	if (!result) {
		info.jited_prog_len = counts.jited_prog_len;
		code->public.map_count = info.nr_map_ids < counts.nr_map_ids ? info.nr_map_ids : counts.nr_map_ids;
		result = fill_functions(program, code, &info, err);
	}
	if (!result)
		result = fill_lines(code, &info, err);
	if (!result)
		result = fill_references(program, code, err);
	if (result) {
		ebpf_program_code_free(&code->public);
		return result;
	}
	*out = &code->public;
	return 0;
}

void ebpf_program_code_free(struct ebpf_program_code *public)
{
	struct code *code = (struct code *)(void *)public;

	if (!code)
		return;
	for (size_t i = 0; code->map_names && i < code->public.map_count; i++)
		free(code->map_names[i]);
	for (size_t i = 0; i < code->text_count; i++)
		free(code->texts[i]);
	free(code->map_names);
	free(code->texts);
	free(code->insns);
	free(code->functions);
	free(code->references);
	free(code->lines);
	free(code->jited);
	free(code->map_ids);
	free(code->ksyms);
	free(code->line_addresses);
	free(code->func_lens);
	free(code->tags);
	free(code->func_info);
	free(code->line_info);
	ebpf_btf_free(code->btf);
	free(code);
}
