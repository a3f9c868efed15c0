/* kconfig.c -- the values of __kconfig variables: options of the kernel's configuration, and a few facts that are named
 * like them. */
#include <stdio.h>
#include <stdlib.h>

#include "load/load.h"

#define VALUE_SIZE 4096 /* a line of .config is never longer */

enum kind { KIND_BOOL, KIND_CHAR, KIND_INT, KIND_TRISTATE, KIND_STRING, KIND_OTHER };
struct variable {
	const char *name;
	enum kind kind;
	bool is_signed;
	uint32_t size;
	uint8_t *bytes;
};

static enum kind kind_of_int(const struct ebpf_type *type, bool *is_signed)
{
	uint32_t encoding, offset, bits;

	ebpf_type_int(type, &encoding, &offset, &bits);
	*is_signed = encoding & BTF_INT_SIGNED;
	if (encoding & BTF_INT_BOOL)
		return type->size == 1 ? KIND_BOOL : KIND_OTHER;
	if (type->size == 1)
		return KIND_CHAR;
	return type->size == 2 || type->size == 4 || type->size == 8 ? KIND_INT : KIND_OTHER;
}

static enum kind kind_of_type(const struct ebpf_btf *btf, uint32_t id, bool *is_signed)
{
	struct ebpf_type type;

	*is_signed = false;
	if (!ebpf_btf_type(btf, ebpf_btf_resolve(btf, id), &type))
		return KIND_OTHER;
	if (type.kind == BTF_KIND_INT)
		return kind_of_int(&type, is_signed);
	if (type.kind == BTF_KIND_ENUM || type.kind == BTF_KIND_ENUM64)
		return type.size == 4 && !strcmp(type.name, "libbpf_tristate") ? KIND_TRISTATE : KIND_OTHER;
	if (type.kind == BTF_KIND_ARRAY) {
		struct ebpf_btf_array array = ebpf_type_array(&type);
		bool ignored;

		if (array.count && kind_of_type(btf, array.element, &ignored) == KIND_CHAR)
			return KIND_STRING;
	}
	return KIND_OTHER;
}

static int bad_value(const struct variable *variable, int code, const char *value, const char *why,
		     struct ebpf_error *err)
{
	return ebpf_fail(err, code, "__kconfig variable '%s': value %.100s %s", variable->name, value, why);
}

static int set_number(const struct variable *variable, uint64_t number, const char *text, struct ebpf_error *err)
{
	unsigned bits = variable->size * 8;
	bool fits = true;

	if (variable->kind != KIND_INT && variable->kind != KIND_CHAR && variable->kind != KIND_BOOL)
		return bad_value(variable, EINVAL, text, "needs a variable of integer type", err);
	if (variable->kind == KIND_BOOL && number > 1)
		return bad_value(variable, ERANGE, text, "does not fit a bool", err);
	if (bits < 64 && variable->is_signed)
		fits = number + (1ULL << (bits - 1)) < 1ULL << bits;
	else if (bits < 64)
		fits = number >> bits == 0;
	if (!fits)
		return bad_value(variable, ERANGE, text, "does not fit the variable's type", err);
	switch (variable->size) {
	case 1:
		*variable->bytes = (uint8_t)number;
		break;
	case 2:
		memcpy(variable->bytes, &(uint16_t){ (uint16_t)number }, 2);
		break;
	case 4:
		memcpy(variable->bytes, &(uint32_t){ (uint32_t)number }, 4);
		break;
	default:
		memcpy(variable->bytes, &number, 8);
		break;
	}
	return 0;
}

static int set_tristate(const struct variable *variable, const char *text, struct ebpf_error *err)
{
	enum { TRI_NO, TRI_YES, TRI_MODULE }; /* enum libbpf_tristate of bpf_helpers.h */
	uint32_t tristate = *text == 'y' ? TRI_YES : *text == 'm' ? TRI_MODULE : TRI_NO;

	switch (variable->kind) {
	case KIND_BOOL:
		if (*text == 'm')
			return bad_value(variable, EINVAL, text, "(a module) needs enum libbpf_tristate or char", err);
		*variable->bytes = *text == 'y';
		return 0;
	case KIND_TRISTATE:
		memcpy(variable->bytes, &tristate, sizeof(tristate));
		return 0;
	case KIND_CHAR:
		*variable->bytes = (uint8_t)*text;
		return 0;
	default:
		return bad_value(variable, EINVAL, text, "needs a bool, a char or enum libbpf_tristate", err);
	}
}

/* Cut to what fits, always with its NUL. */
static int set_string(const struct variable *variable, const char *text, struct ebpf_error *err)
{
	size_t size = strlen(text);

	if (variable->kind != KIND_STRING)
		return bad_value(variable, EINVAL, text, "needs an array of char", err);
	if (size < 2 || text[size - 1] != '"')
		return bad_value(variable, EINVAL, text, "is a string without its end", err);
	size -= 2;
	if (size >= variable->size)
		size = variable->size - 1;
	memcpy(variable->bytes, text + 1, size);
	return 0;
}

static int set_value(const struct variable *variable, const char *text, struct ebpf_error *err)
{
	uint64_t number;
	char *end;

	if ((*text == 'y' || *text == 'n' || *text == 'm') && !text[1])
		return set_tristate(variable, text, err);
	if (*text == '"')
		return set_string(variable, text, err);
	errno = 0;
	number = strtoull(text, &end, 0);
	if (errno || *end || end == text)
		return bad_value(variable, EINVAL, text, "is neither y, n, m, a string nor a number of 64 bits", err);
	if (variable->kind == KIND_BOOL)
		return bad_value(variable, EINVAL, text, "needs a variable of integer type", err);
	return set_number(variable, number, text, err);
}

/* "NAME=value" among the lines of `config`: the first counts. False when it is not there. */
static bool find_in_text(const char *config, const char *name, char value[VALUE_SIZE])
{
	size_t size = strlen(name);

	while (config) {
		const char *end = strchr(config, '\n');

		if (!strncmp(config, name, size) && config[size] == '=') {
			size_t length = end ? (size_t)(end - config) : strlen(config);

			length -= size + 1;
			while (length && strchr(" \t\r", config[size + length]))
				length--;
			if (length >= VALUE_SIZE)
				length = VALUE_SIZE - 1;
			memcpy(value, config + size + 1, length);
			value[length] = '\0';
			return length > 0;
		}
		config = end ? end + 1 : NULL;
	}
	return false;
}

/* 1 = set, 0 = the option is not set, -errno. */
static int set_option(struct ebpf_load *load, const struct variable *variable, struct ebpf_error *err)
{
	char value[VALUE_SIZE] = "";
	int result;

	if (load->options.kconfig) {
		if (!find_in_text(load->options.kconfig, variable->name, value))
			return 0;
	} else {
		result = ebpf_kernel_config(load->kernel, variable->name, value, sizeof(value), err);
		if (result < 0)
			return result;
		if (!value[0])
			return 0;
	}
	result = set_value(variable, value, err);
	return result < 0 ? result : 1;
}

/* Variables named LINUX_...: what programs want to know of the kernel beside its configuration. As set_option. */
static int set_fact(struct ebpf_load *load, const struct variable *variable, struct ebpf_error *err)
{
	char text[24];
	uint64_t value;
	int result;

	if (!strcmp(variable->name, "LINUX_KERNEL_VERSION"))
		value = ebpf_kernel_version(load->kernel);
	else if (!strcmp(variable->name, "LINUX_HAS_BPF_COOKIE"))
		value = ebpf_kernel_supports(load->kernel, EBPF_FEATURE_BPF_COOKIE);
	else if (!strcmp(variable->name, "LINUX_HAS_SYSCALL_WRAPPER"))
		value = ebpf_kernel_supports(load->kernel, EBPF_FEATURE_SYSCALL_WRAPPER);
	else
		return 0;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	result = set_number(variable, value, text, err);
	return result < 0 ? result : 1;
}

static int describe(struct ebpf_load *load, const struct ebpf_extern *external, uint8_t *data, size_t size,
		    struct variable *out, struct ebpf_error *err)
{
	struct ebpf_type var;

	*out = (struct variable){ .name = external->name, .size = external->size, .bytes = data };
	if (external->offset > size || external->size > size - external->offset || !external->size)
		return ebpf_fail(err, EINVAL, "__kconfig variable '%s': lies outside its section", external->name);
	out->bytes = data + external->offset;
	if (!load->spec->btf || !ebpf_btf_type(load->spec->btf, external->type_id, &var) || var.kind != BTF_KIND_VAR)
		return ebpf_fail(err, EINVAL, "__kconfig variable '%s': has no type", external->name);
	out->kind = kind_of_type(load->spec->btf, var.type, &out->is_signed);
	if (out->kind == KIND_OTHER ||
	    (out->kind != KIND_STRING && ebpf_btf_sizeof(load->spec->btf, var.type) != out->size)) {
		ebpf_fail(err, ENOTSUP, "__kconfig variable '%s': its type cannot hold an option", external->name);
		ebpf_hint(err, "bool, char, integers of 2 to 8 bytes, enum libbpf_tristate and arrays of char can");
		return -ENOTSUP;
	}
	return 0;
}

static int not_set(const struct ebpf_load *load, const struct ebpf_extern *external, struct ebpf_error *err)
{
	const char *name = external->name;
	char user[256];

	ebpf_load_user(load, external, user, sizeof(user));
	if (ebpf_starts_with(name, "CONFIG_")) {
		ebpf_fail(err, ESRCH, "__kconfig variable '%s'%s: the option is not set in the %s", name, user,
			  load->options.kconfig ? "configuration that was given" : "kernel's configuration");
		ebpf_hint(err, "declare it __weak to get 0 then");
	} else {
		ebpf_fail(err, EINVAL, "__kconfig variable '%s'%s: no such fact is known", name, user);
		ebpf_hint(err, "CONFIG_..., LINUX_KERNEL_VERSION, LINUX_HAS_BPF_COOKIE and LINUX_HAS_SYSCALL_WRAPPER "
			       "are known");
	}
	return ebpf_starts_with(name, "CONFIG_") ? -ESRCH : -EINVAL;
}

int ebpf_load_kconfig(struct ebpf_load *load, uint8_t *data, size_t size, struct ebpf_error *err)
{
	const struct ebpf_spec_impl *spec = spec_impl(load->spec);

	for (size_t i = 0; i < spec->extern_count; i++) {
		const struct ebpf_extern *external = spec->externs[i];
		struct ebpf_error why = { 0 };
		struct variable variable;
		int result;

		if (external->kind != EBPF_EXTERN_KCONFIG || !load->externs[i].used)
			continue;
		result = describe(load, external, data, size, &variable, err);
		if (result < 0)
			return result;
		if (ebpf_starts_with(external->name, "CONFIG_"))
			result = set_option(load, &variable, &why);
		else
			result = set_fact(load, &variable, &why);
		/* a kernel that does not show its configuration has, for a weak variable, nothing set */
		if (result == -ENOENT && external->weak) {
			ebpf_error_clear(&why);
			result = 0;
		}
		if (result < 0) {
			ebpf_error_move(err, &why);
			return result;
		}
		if (result == 0 && !external->weak)
			return not_set(load, external, err);
		load->externs[i].found = result > 0;
	}
	return 0;
}
