/* gen_types_loaded.c -- an object loaded: its maps and variables, by name and type, by the header that is generated of it. Run by
 * gen_spec. */
#include "gen_types.h"

static int print_event(void *context, const void *data, size_t size)
{
	const struct event *event = data;
	printf("%zu: %llu %d %s %d\n", size, event->number, event->kind == OPEN, event->name, event->points[0].y);
	return *(int *)context += 1, 0;
}

int main(void)
{
	struct ebpf_error err = {0};
	struct gen_types *skel = gen_types_open(&err);
	char data[64] = {0};
	struct ebpf_run_options options = {.size = sizeof(options), .data = data, .data_size = sizeof(data)};
	struct gen_types_totals_value total = {7};
	struct ebpf_ring *ring = NULL;
	range_t range = {1, 2};
	int records = 0;
	u64 sum;

	if (!skel || gen_types_set_step(skel, 5, &err) || gen_types_set_last_kind(skel, OPEN, &err) ||
	    gen_types_load(skel, NULL, &err) || ebpf_program_run(skel->programs.run, &options, &err) < 0 ||
	    gen_types_get_sum(skel, &sum, &err))
		return puts(err.message), 1;
	printf("%u %llu %p\n", options.retval, sum, (void *)skel->programs.other);
	if (gen_types_set_sum(skel, 100, &err) || ebpf_program_run(skel->programs.run, &options, &err) < 0 ||
	    ebpf_ring_open(skel->maps.events, &ring, &err) < 0 || ebpf_ring_consume(ring, print_event, &records, 0) < 0)
		return puts(err.message), 1;
	printf("%d %d\n", records, gen_types_totals_lookup(skel, &range, &total, &err) == -ENOENT);
	if (gen_types_totals_update(skel, &range, &total, 0, &err) || (total.total = 0, 0) ||
	    gen_types_totals_lookup(skel, &range, &total, &err) || gen_types_totals_delete(skel, &range, &err))
		return puts(err.message), 1;
	printf("%llu %d\n", total.total, gen_types_set_step(skel, 1, &err) == -EPERM);
	printf("%d\n", gen_types_attach(skel, NULL, &err)); /* a socket filter attaches nothing by itself */
	ebpf_ring_close(ring);
	gen_types_destroy(skel);
	ebpf_error_clear(&err);
}
