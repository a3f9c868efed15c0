/* killsnoop_attached.c -- an object attached: a record arrives, by the header that is generated of it. Run by gen_spec. */
#include "killsnoop.h"
#include <signal.h>
#include <unistd.h>

static int print_event(void *context, const void *data, size_t size)
{
	const struct event *event = data;
	(void)context, (void)size;
	if (event->pid == (__u32)getpid())
		printf("%d %u %s\n", event->target == getpid(), event->signal, event->call == KILL ? "kill" : "?");
	return 0;
}

int main(void)
{
	struct ebpf_error err = {0};
	struct killsnoop *skel = killsnoop_open_and_load(&err);
	struct ebpf_ring *ring = NULL;

	if (!skel || killsnoop_attach(skel, NULL, &err) || ebpf_ring_open(skel->maps.events, &ring, &err) < 0)
		return puts(err.message), 1;
	kill(getpid(), 0);
	if (ebpf_ring_wait(ring, 5000, &err) < 0 || ebpf_ring_consume(ring, print_event, NULL, 0) < 0)
		return puts(err.message), 1;
	printf("%s\n", ebpf_link_kind_name(skel->links.enter_kill));
	killsnoop_detach(skel);
	ebpf_ring_close(ring);
	killsnoop_destroy(skel);
}
