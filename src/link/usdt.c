/* usdt.c -- programs of type kprobe on the probes that a program or library was built with (<sys/sdt.h>), and what tells such a
 * program where the arguments are.
 *
 * The header usdt.bpf.h defines two maps. In one (an array) the loader describes the arguments: an element for each different
 * list of them, which links share and which is free again when the last has gone. A probe finds its element by the cookie of
 * its attachment; where the kernel has none (before 5.15) by its address, which the other map leads to the element.
 *
 * Chain: as uprobe_multi, which attaches all places of a probe: one link (6.6; of one process 6.10), else a uprobe for each.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>

#include "link/link.h"
#include "symbol/usdt.h"

extern const struct ebpf_link_kind ebpf_kind_uprobe_multi;

static const struct ebpf_option options[] = {
	EBPF_LINK_OPTION("path", path, 1),
	EBPF_LINK_OPTION("provider", usdt.provider, 2),
	EBPF_LINK_OPTION("name", usdt.name, 3),
	EBPF_LINK_OPTION("pid", pid, 0),
	EBPF_LINK_OPTION("cookie", cookie, 0),
	EBPF_LINK_OPTION("attach_mode", attach_mode, 0),
	{ 0 },
};

/* "path:provider:name" */
static int parse(const struct ebpf_program *program, const char *extra, struct ebpf_link_options *out, char *storage, size_t size,
		 struct ebpf_error *err)
{
	char *name, *provider;

	if (extra) {
		if ((size_t)snprintf(storage, size, "%s", extra) >= size)
			return ebpf_fail(err, ENAMETOOLONG, "section '%s': the name is too long", program->section);
		provider = strchr(storage, ':');
		name = provider ? strchr(provider + 1, ':') : NULL;
		if (!name || provider == storage || name == provider + 1 || !name[1]) {
			ebpf_fail(err, EINVAL, "section '%s': it names no probe", program->section);
			ebpf_hint(err, "it is written usdt/path:provider:name");
			return -EINVAL;
		}
		*provider = *name = '\0';
		out->path = storage;
		out->usdt.provider = provider + 1;
		out->usdt.name = name + 1;
	}
	if (out->path && out->usdt.provider && out->usdt.name)
		return 1;
	ebpf_fail(err, EINVAL, "its section names no USDT probe");
	ebpf_hint(err, "write SEC(\"usdt/path:provider:name\"), or give the options path, provider and name");
	return 0;
}

/* -- the elements of the array -- */

/* How an element lies in memory depends on the header that the program was compiled with: ours and libbpf's up to 1.6 have 16 bytes
 * for an argument, libbpf's since 1.7 has 24. Behind the arguments come the cookie and their number. */
#define NARROW_SIZE (12 * 16 + 16)
#define WIDE_SIZE (12 * 24 + 16)

struct element {
	size_t size; /* NARROW_SIZE or WIDE_SIZE */
	uint8_t bytes[WIDE_SIZE];
};

static void put_narrow(uint8_t *to, const struct ebpf_usdt_argument *argument)
{
	uint32_t kind = (uint32_t)argument->place | (uint32_t)argument->shift << 8 | (uint32_t)argument->index << 16;
	uint64_t value = (uint64_t)argument->value;

	memcpy(to, &value, sizeof value);
	memcpy(to + 8, &kind, sizeof kind);
	memcpy(to + 12, &argument->base, sizeof argument->base);
	to[14] = argument->is_signed;
	to[15] = (uint8_t)(64 - 8 * argument->size);
}

/* Bit fields of libbpf's struct: the index register's place has 12 bits, the shift 4. */
static void put_wide(uint8_t *to, const struct ebpf_usdt_argument *argument)
{
	uint64_t value = (uint64_t)argument->value;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint16_t index = (uint16_t)(argument->index | argument->shift << 12);
	size_t kind_at = 8;
#else
	uint16_t index = (uint16_t)(argument->index << 4 | argument->shift);
	size_t kind_at = 12;
#endif

	memcpy(to, &value, sizeof value);
	to[kind_at] = (uint8_t)argument->place;
	memcpy(to + 10, &index, sizeof index);
	memcpy(to + 14, &argument->base, sizeof argument->base);
	to[16] = argument->is_signed;
	to[17] = (uint8_t)(64 - 8 * argument->size);
}

static void make_element(struct element *element, size_t size, const struct ebpf_usdt_argument *arguments, int count,
			 uint64_t cookie)
{
	size_t each = (size - 16) / EBPF_USDT_ARGUMENTS_MAX;
	int16_t number = (int16_t)count;

	memset(element, 0, sizeof *element);
	element->size = size;
	for (int i = 0; i < count; i++)
		(size == NARROW_SIZE ? put_narrow : put_wide)(element->bytes + (size_t)i * each, &arguments[i]);
	memcpy(element->bytes + size - 16, &cookie, sizeof cookie);
	memcpy(element->bytes + size - 8, &number, sizeof number);
}

/* Which elements are taken, kept with the map (map->detail) in one piece. */
struct slot {
	size_t users;
	uint8_t bytes[WIDE_SIZE];
};
struct slots {
	uint32_t used; /* those from here on were never taken */
	struct slot items[];
};

static struct slots *slots_of(struct ebpf_map *specs)
{
	if (!specs->detail)
		specs->detail = calloc(1, sizeof(struct slots) + specs->max_entries * sizeof(struct slot));
	return specs->detail;
}

/* The number of an element with these bytes: one that is there, or a free one that is written. */
static int take_slot(struct ebpf_map *specs, const struct element *element, uint32_t *id, struct ebpf_error *err)
{
	struct slots *slots = slots_of(specs);
	uint32_t free_id = UINT32_MAX;
	int result;

	if (!slots)
		return ebpf_fail_memory(err);
	for (uint32_t i = 0; i < slots->used; i++) {
		if (slots->items[i].users && !memcmp(slots->items[i].bytes, element->bytes, element->size)) {
			slots->items[i].users++;
			*id = i;
			return 0;
		}
		if (!slots->items[i].users && free_id == UINT32_MAX)
			free_id = i;
	}
	if (free_id == UINT32_MAX)
		free_id = slots->used;
	if (free_id >= specs->max_entries) {
		ebpf_fail(err, ENOSPC, "map '%s' is full: it has room for %u different lists of arguments", specs->name,
			  specs->max_entries);
		ebpf_hint(err, "define BPF_USDT_MAX_SPEC_CNT before the header is included, or set its max_entries in the spec");
		return -ENOSPC;
	}
	result = ebpf_map_update(specs, &free_id, element->bytes, 0, err);
	if (result)
		return result;
	memcpy(slots->items[free_id].bytes, element->bytes, element->size);
	slots->items[free_id].users = 1;
	if (free_id == slots->used)
		slots->used++;
	*id = free_id;
	return 0;
}

/* -- what a link has taken -- */

struct taken {
	size_t count;       /* elements, in ids */
	size_t address_count;
	int ids_fd;         /* of the map of addresses: link->target_fd */
	uint32_t *ids;
	uint64_t *addresses;
	uint64_t data[];    /* of both lists */
};

static struct taken *new_taken(size_t places)
{
	struct taken *taken = calloc(1, sizeof *taken + places * (sizeof *taken->addresses + sizeof *taken->ids));

	if (!taken)
		return NULL;
	taken->addresses = taken->data;
	taken->ids = (uint32_t *)(taken->data + places);
	return taken;
}

static void forget_address(struct ebpf_link *link, uint64_t address)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof attr);
	attr.map_fd = (uint32_t)link->target_fd;
	attr.key = ebpf_ptr(&address);
	ebpf_kernel_sys(link->kernel)->bpf(BPF_MAP_DELETE_ELEM, &attr, EBPF_ATTR_SIZE(flags));
}

static int give_back(struct ebpf_link *link, struct ebpf_error *err)
{
	struct taken *taken = link->detail;
	struct slots *slots = link->specs->detail;

	(void)err;
	for (size_t i = 0; i < taken->address_count; i++)
		forget_address(link, taken->addresses[i]);
	for (size_t i = 0; i < taken->count; i++)
		slots->items[taken->ids[i]].users--;
	taken->count = taken->address_count = 0;
	return 0;
}

/* -- the places of a probe -- */

struct places {
	uint64_t *offsets, *cookies, *counters;
	bool has_counters;
};

static int explain_missing(const char *path, const struct ebpf_link_options *given, struct ebpf_error *err)
{
	const char *names[512], *nearest;
	struct ebpf_usdt *all = NULL;
	char **texts, *wanted;
	size_t count = 0;

	ebpf_fail(err, ENOENT, "'%s': no USDT probe %s:%s", path, given->usdt.provider, given->usdt.name);
	if (!err || ebpf_usdt_read(path, NULL, NULL, &all, NULL))
		return -ENOENT;
	texts = calloc(EBPF_COUNT(names), sizeof *texts);
	wanted = ebpf_sprintf("%s:%s", given->usdt.provider, given->usdt.name);
	for (; texts && count < all->count && count < EBPF_COUNT(names); count++)
		names[count] = texts[count] = ebpf_sprintf("%s:%s", all->probes[count].provider, all->probes[count].name);
	nearest = wanted && count && names[count - 1] ? ebpf_nearest(wanted, names, count) : NULL;
	if (!all->count)
		ebpf_hint(err, "the file has no probes of the kind that <sys/sdt.h> makes");
	else if (nearest)
		ebpf_hint(err, "the nearest is %s", nearest);
	else
		ebpf_hint(err, "ebpf.usdt(path) lists those that it has");
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
	free(wanted);
	ebpf_usdt_free(all);
	return -ENOENT;
}

/* Leads the address of a place to its element, where there are no cookies. */
static int note_address(struct ebpf_link *link, struct ebpf_program *program, const struct ebpf_usdt *usdt,
			const struct ebpf_usdt_probe *probe, int32_t pid, uint32_t id, struct ebpf_error *err)
{
	struct taken *taken = link->detail;
	uint64_t address = probe->address;
	int result;

	if (!program->usdt_ids)
		return ebpf_fail(err, EINVAL, "the program's object has no map '__bpf_usdt_ip_to_spec_id', which this kernel needs");
	if (usdt->position_independent) {
		if (!pid) {
			ebpf_fail(err, ENOTSUP, "'%s': its place in memory differs from process to process, and this kernel has no "
				  "cookies", usdt->path);
			ebpf_hint(err, "give one process (pid); without, it needs Linux %s",
				  ebpf_feature_since(EBPF_FEATURE_BPF_COOKIE));
			return -ENOTSUP;
		}
		result = ebpf_process_address(pid, usdt->path, probe->offset, &address, err);
		if (result)
			return result;
	}
	result = ebpf_map_update(program->usdt_ids, &address, &id, 0, err);
	if (!result)
		taken->addresses[taken->address_count++] = address;
	return result;
}

static int describe_place(struct ebpf_link *link, struct ebpf_program *program, const struct ebpf_usdt *usdt, size_t index,
			  const struct ebpf_link_options *given, struct places *places, struct ebpf_error *err)
{
	const struct ebpf_usdt_probe *probe = &usdt->probes[index];
	struct ebpf_usdt_argument arguments[EBPF_USDT_ARGUMENTS_MAX];
	struct taken *taken = link->detail;
	struct element element;
	int result = ebpf_usdt_arguments(usdt, probe, arguments, err);
	uint32_t id = 0;

	if (result < 0)
		return result;
	make_element(&element, link->specs->value_size, arguments, result, given->cookie);
	result = take_slot(link->specs, &element, &id, err);
	if (result)
		return result;
	taken->ids[taken->count++] = id;
	if (ebpf_kernel_supports(link->kernel, EBPF_FEATURE_BPF_COOKIE))
		places->cookies[index] = id;
	else
		result = note_address(link, program, usdt, probe, given->pid, id, err);
	return result;
}

/* The program reads no arguments when its object has not the header's maps: then its own cookie is the attachment's. */
static int describe(struct ebpf_link *link, struct ebpf_program *program, const struct ebpf_usdt *usdt,
		    const struct ebpf_link_options *given, struct places *places, struct ebpf_error *err)
{
	int result = 0;

	for (size_t i = 0; i < usdt->count; i++) {
		places->offsets[i] = usdt->probes[i].offset;
		places->counters[i] = usdt->probes[i].semaphore;
		places->has_counters |= usdt->probes[i].semaphore != 0;
		places->cookies[i] = given->cookie;
	}
	if (!program->usdt_specs)
		return 0;
	if (program->usdt_specs->value_size != NARROW_SIZE && program->usdt_specs->value_size != WIDE_SIZE)
		return ebpf_fail(err, EINVAL, "map '%s': its values have %u bytes: the header that it is from is not known",
				 program->usdt_specs->name, program->usdt_specs->value_size);
	link->detail = new_taken(usdt->count);
	if (!link->detail)
		return ebpf_fail_memory(err);
	if (program->usdt_ids && !ebpf_kernel_supports(link->kernel, EBPF_FEATURE_BPF_COOKIE)) {
		link->target_fd = ebpf_link_keep_fd(link, program->usdt_ids->fd);
		if (link->target_fd < 0)
			return ebpf_fail_errno(err, link->target_fd, "%s", link->target);
	}
	link->specs = ebpf_map_ref(program->usdt_specs);
	link->undo = give_back;
	for (size_t i = 0; !result && i < usdt->count; i++)
		result = describe_place(link, program, usdt, i, given, places, err);
	return result;
}

/* -- the kind -- */

static int attach_places(struct ebpf_link *link, struct ebpf_program *program, const struct ebpf_usdt *usdt,
			 const struct ebpf_link_options *given, const struct places *places, struct ebpf_error *err)
{
	bool cookies = ebpf_kernel_supports(link->kernel, EBPF_FEATURE_BPF_COOKIE);
	struct ebpf_link_options all = {
		.size = sizeof all,
		.path = usdt->path,
		.pid = given->pid,
		.attach_mode = given->attach_mode,
		.multi.offsets = { places->offsets, usdt->count },
		.multi.cookies = { places->cookies, cookies ? usdt->count : 0 },
		.multi.ref_counter_offsets = { places->counters, places->has_counters ? usdt->count : 0 },
	};

	if (!cookies && !program->usdt_specs)
		all.cookie = given->cookie; /* and the error that the kernel has none */
	return ebpf_kind_uprobe_multi.attach(program, "uprobe_multi", &all, link, err);
}

static int attach(struct ebpf_program *program, const char *alias, const struct ebpf_link_options *given, struct ebpf_link *link,
		  struct ebpf_error *err)
{
	struct ebpf_usdt *usdt = NULL;
	struct places places = { 0 };
	char *path = NULL;
	int result;

	(void)alias;
	if (!given->path || !given->usdt.provider || !given->usdt.name)
		return ebpf_fail(err, EINVAL, "usdt: a path, a provider and a name are needed");
	if (given->pid < -1)
		return ebpf_fail(err, EINVAL, "usdt: %d is no process", given->pid);
	result = ebpf_binary_find_for(given->path, given->pid, &path, err);
	if (!result)
		result = ebpf_usdt_read(path, given->usdt.provider, given->usdt.name, &usdt, err);
	free(path);
	if (result)
		return ebpf_wrap(err, result, "usdt");
	places.offsets = calloc(usdt->count * 3 + 1, sizeof *places.offsets);
	places.cookies = places.offsets + usdt->count;
	places.counters = places.cookies + usdt->count;
	if (!places.offsets)
		result = ebpf_fail_memory(err);
	if (!result && !usdt->count)
		result = explain_missing(usdt->path, given, err);
	if (!result)
		result = describe(link, program, usdt, given, &places, err);
	if (result)
		ebpf_wrap(err, result, "usdt");
	if (!result)
		result = attach_places(link, program, usdt, given, &places, err);
	if (!result)
		result = ebpf_link_set_target(link, err, "usdt %s:%s:%s", usdt->path, given->usdt.provider, given->usdt.name);
	free(places.offsets);
	ebpf_usdt_free(usdt);
	return result;
}

const struct ebpf_link_kind ebpf_kind_usdt = {
	.name = "usdt", .since = "4.1", .options = options, .parse = parse, .attach = attach,
};
