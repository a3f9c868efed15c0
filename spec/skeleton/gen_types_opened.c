/* gen_types_opened.c -- an object opened: its variables, before it is loaded, by the header that is generated of it. Run by
 * gen_spec. */
#include "gen_types.h"

int main(void)
{
	struct ebpf_error err = {0};
	struct gen_types *skel = gen_types_open(&err);
	struct point origin;
	u16 table[4];
	char label[8];
	u32 step;
	gen_types_pid_t extra = sizeof(pid_t);

	if (!skel || gen_types_get_extra(skel, &extra, &err) || extra || gen_types_get_step(skel, &step, &err) ||
	    gen_types_get_origin(skel, &origin, &err) || gen_types_get_table(skel, table, &err) ||
	    gen_types_get_label(skel, label, &err))
		return puts(err.message), 1;
	printf("%u %d %d %u %s %zu\n", step, origin.x, origin.y, table[3], label, skel->spec->program_count);
	if (gen_types_set_step(skel, 9, &err) || gen_types_get_step(skel, &step, &err))
		return puts(err.message), 1;
	printf("%u %s\n", step, gen_types_attach(skel, NULL, &err) == -EINVAL ? err.message : "?");
	gen_types_destroy(skel);
	gen_types_destroy(NULL);
}
