#include "spec/spec.h"

static const struct ebpf_section sections[] = {
#include "spec/section_table.h"
};

static bool matches(const struct ebpf_section *row, const char *section, const char **extra)
{
	size_t length = strlen(row->name);

	if (strncmp(section, row->name, length) != 0)
		return false;
	section += length;
	if (*section == '/' && (row->flags & EBPF_SECTION_EXTRA))
		section++;
	else if (*section)
		return false;
	if (extra)
		*extra = section;
	return true;
}

const struct ebpf_section *ebpf_section_find(const char *section, const char **extra)
{
	if (*section == '?')
		section++;
	for (size_t i = 0; i < EBPF_COUNT(sections); i++)
		if (matches(&sections[i], section, extra))
			return &sections[i];
	return NULL;
}

const struct ebpf_section *ebpf_section_at(size_t index)
{
	return index < EBPF_COUNT(sections) ? &sections[index] : NULL;
}

const char *ebpf_section_nearest(const char *section)
{
	const char *names[EBPF_COUNT(sections)];
	char bare[32];
	size_t length = strcspn(section, "/");

	for (size_t i = 0; i < EBPF_COUNT(sections); i++)
		names[i] = sections[i].name;
	if (*section == '?')
		section++, length -= length > 0;
	if (length >= sizeof(bare))
		return NULL;
	/* "kprob/do_unlinkat" is like "kprobe", which only shows without the target; "cgroup/conect4" is like "cgroup/connect4" as
	 * a whole */
	const char *near = strlen(section) < sizeof(bare) ? ebpf_nearest(section, names, EBPF_COUNT(names)) : NULL;
	if (near)
		return near;
	memcpy(bare, section, length);
	bare[length] = '\0';
	return ebpf_nearest(bare, names, EBPF_COUNT(names));
}

void ebpf_program_spec_apply_section(struct ebpf_program_spec *program, const char *section)
{
	const char *extra = "";
	const struct ebpf_section *row = ebpf_section_find(section, &extra);

	program->section = (char *)(uintptr_t)section;
	program->type = row ? row->program_type : 0;
	program->attach_type = row ? row->attach_type : 0;
	program->flags &= ~(BPF_F_SLEEPABLE | BPF_F_XDP_HAS_FRAGS);
	if (row && (row->flags & EBPF_SECTION_SLEEPABLE))
		program->flags |= BPF_F_SLEEPABLE;
	if (row && (row->flags & EBPF_SECTION_XDP_FRAGS))
		program->flags |= BPF_F_XDP_HAS_FRAGS;
	program->attach_to = row && *extra ? (char *)(uintptr_t)extra : NULL;
}
