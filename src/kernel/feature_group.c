/* feature_group.c -- the features that come in groups: "program_type.xdp", "map_type.arena". One table of rows for each
 * group, asked, kept and masked alike.
 *
 * To add a feature to a group: a row in its file. To add a group: a struct probe_group, declared in probe.h, and its
 * place in `groups`. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/context.h"
#include "kernel/probe.h"
#include "sys/policy.h"

static const struct probe_group *const groups[EBPF_GROUP_COUNT] = {
	&ebpf_program_type_group, &ebpf_map_type_group, &ebpf_map_flag_group,
	&ebpf_attach_type_group,  &ebpf_isa_group,      &ebpf_limit_group,
	&ebpf_program_flag_group,
};

/* -- the pieces that probes are made of -- */

int ebpf_probe_load(struct ebpf_kernel *kernel, const struct probe_program *program)
{
	static const struct ebpf_insn return_zero[] = { MOV_IMM(0, 0), EXIT };
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.prog_type = program->type;
	attr.expected_attach_type = program->attach_type;
	attr.prog_flags = program->flags;
	attr.attach_btf_id = program->attach_btf_id;
	attr.insns = ebpf_ptr(program->insns ? program->insns : return_zero);
	attr.insn_cnt = program->insns ? (uint32_t)program->count : EBPF_COUNT(return_zero);
	attr.license = ebpf_ptr("GPL");
	attr.fd_array = ebpf_ptr(program->fd_array);
	if (program->type == BPF_PROG_TYPE_KPROBE)
		attr.kern_version = ebpf_kernel_version(kernel); /* looked at before 5.0 */
	if (program->log) {
		program->log[0] = '\0';
		attr.log_buf = ebpf_ptr(program->log);
		attr.log_size = program->log_size;
		attr.log_level = program->log_level;
	}
	return ebpf_kernel_create(kernel, BPF_PROG_LOAD, &attr, sizeof attr);
}

bool ebpf_probe_is_inconclusive(int code)
{
	switch (code) {
	case -EPERM:
	case -ENOMEM:
	case -EAGAIN:
	case -EINTR:
	case -EMFILE:
	case -ENFILE:
	case -ENOSYS:
	case -EBUSY:
		return true;
	}
	return false;
}

int ebpf_probe_verdict(struct ebpf_kernel *kernel, int result)
{
	if (ebpf_probe_is_inconclusive(result))
		return result;
	if (result < 0)
		return 0;
	kernel->sys->close(result);
	return 1;
}

/* -- names -- */

/* The group that a dotted name begins with; *rest is what follows the dot. NULL for another name. */
static const struct probe_group *group_of(const char *feature, const char **rest, size_t *number)
{
	const char *dot = strchr(feature, '.');

	for (size_t i = 0; dot && i < EBPF_COUNT(groups); i++) {
		if (strlen(groups[i]->name) != (size_t)(dot - feature) ||
		    memcmp(groups[i]->name, feature, (size_t)(dot - feature)) != 0)
			continue;
		*rest = dot + 1;
		*number = i;
		return groups[i];
	}
	return NULL;
}

static int fail_unknown(const char *feature, const char *name, const struct probe_group *group, struct ebpf_error *err)
{
	const char *names[EBPF_GROUP_ROWS], *since, *nearest;
	size_t count = group ? group->count : EBPF_COUNT(groups);
	char first[64]; /* what stands before the dot */

	for (size_t i = 0; i < count; i++) {
		if (group)
			group->row(i, &names[i], &since);
		else
			names[i] = groups[i]->name;
	}
	ebpf_fail(err, ENOENT, "feature '%s': there is no such %s", feature, group ? group->name : "group of features");
	snprintf(first, sizeof first, "%.*s", (int)strcspn(feature, "."), feature);
	nearest = ebpf_nearest(group ? name : first, names, count);
	if (nearest)
		ebpf_hint(err, "the nearest is '%s%s%s'", group ? group->name : "", group ? "." : "", nearest);
	return -ENOENT;
}

/* Finds a row; -ENOENT with `err` filled. */
static int find_row(const char *feature, const struct probe_group **group, size_t *number, size_t *index, struct ebpf_error *err)
{
	const char *rest = feature, *name, *since;

	*group = group_of(feature, &rest, number);
	for (*index = 0; *group && *index < (*group)->count; ++*index) {
		(*group)->row(*index, &name, &since);
		if (!strcmp(name, rest))
			return 0;
	}
	return fail_unknown(feature, rest, *group, err);
}

int ebpf_group_check(const char *feature, struct ebpf_error *err)
{
	const struct probe_group *group;
	size_t number, index;

	return find_row(feature, &group, &number, &index, err);
}

/* -- answers -- */

static int answer(struct ebpf_kernel *kernel, const struct probe_group *group, size_t number, size_t index)
{
	uint8_t *kept = &kernel->group_answers[number][index];
	const char *name, *since;
	struct ebpf_policy *policy;
	char text[96];
	int result;

	group->row(index, &name, &since);
	if (ebpf_mask_has(kernel, group->name, name))
		return 0;
	if (*kept != ANSWER_UNKNOWN)
		return *kept == ANSWER_PRESENT;
	ebpf_kernel_raise_memlock(kernel); /* before 5.11 a handful of probes would use the limit up */
	snprintf(text, sizeof text, "%s.%s", group->name, name);
	result = ebpf_policy_probe(text, &policy);
	if (result)
		return result;
	result = group->probe(kernel, index);
	ebpf_policy_set(policy);
	if (result >= 0)
		*kept = result ? ANSWER_PRESENT : ANSWER_ABSENT;
	return result;
}

int ebpf_group_answer(struct ebpf_kernel *kernel, const char *feature, struct ebpf_error *err)
{
	const struct probe_group *group;
	size_t number, index;
	int result = find_row(feature, &group, &number, &index, err);

	return result ? result : answer(kernel, group, number, index);
}

int ebpf_probe_program_type(struct ebpf_kernel *kernel, uint32_t type)
{
	if (!type || type > ebpf_program_type_group.count)
		return 0;
	return answer(kernel, groups[0], 0, type - 1);
}

int ebpf_kernel_group(size_t index, const char **name)
{
	if (index >= EBPF_COUNT(groups))
		return -ENOENT;
	*name = groups[index]->name;
	return 0;
}

int ebpf_kernel_group_feature(size_t group, size_t index, const char **name, const char **since)
{
	if (group >= EBPF_COUNT(groups) || index >= groups[group]->count)
		return -ENOENT;
	groups[group]->row(index, name, since);
	return 0;
}

/* -- masks -- */

bool ebpf_mask_has(const struct ebpf_kernel *kernel, const char *group, const char *name)
{
	size_t length = strlen(group);

	for (size_t i = 0; i < kernel->mask_count; i++) {
		const char *mask = kernel->masks[i];

		if (!strncmp(mask, group, length) && mask[length] == '.' && !strcmp(mask + length + 1, name))
			return true;
	}
	return false;
}

/* "helper" and "kfunc" are no groups of rows, since the answer depends on the type of program; a mask hides them from all. */
static int check_maskable(const char *feature, struct ebpf_error *err)
{
	if (ebpf_starts_with(feature, "kfunc.") ||
	    (ebpf_starts_with(feature, "helper.") && ebpf_enum_value(EBPF_HELPER, feature + strlen("helper.")) > 0))
		return 0;
	return ebpf_group_check(feature, err);
}

int ebpf_mask_set(struct ebpf_kernel *kernel, const char *feature, bool masked, struct ebpf_error *err)
{
	int result = check_maskable(feature, err);
	char **masks, *copy;
	size_t at = 0;

	if (result)
		return result;
	while (at < kernel->mask_count && strcmp(kernel->masks[at], feature) != 0)
		at++;
	if (masked == (at < kernel->mask_count))
		return 0;
	if (!masked) {
		free(kernel->masks[at]);
		kernel->masks[at] = kernel->masks[--kernel->mask_count];
		return 0;
	}
	masks = reallocarray(kernel->masks, kernel->mask_count + 1, sizeof *masks);
	if (!masks)
		return ebpf_fail_memory(err);
	kernel->masks = masks;
	copy = ebpf_strdup(feature);
	if (!copy)
		return ebpf_fail_memory(err);
	masks[kernel->mask_count++] = copy;
	return 0;
}

void ebpf_kernel_groups_free(struct ebpf_kernel *kernel)
{
	for (size_t i = 0; i < kernel->mask_count; i++)
		free(kernel->masks[i]);
	free(kernel->masks);
}
