/* load_link_ops_attached.c -- struct_ops maps attached: a socket has what they are, by the header that is generated of it. Run by
 * gen_spec. */
#include "load_link_ops.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int main(void)
{
	struct ebpf_error err = {0};
	struct load_link_ops *skel = load_link_ops_open(&err);
	struct ebpf_map_spec *second = skel ? ebpf_spec_find_map(skel->spec, "second") : NULL;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (!second || (second->autoattach = false, load_link_ops_load(skel, NULL, &err)))
		return puts(err.message), 1;
	printf("%d ", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "ebpf_link", 9));
	if (load_link_ops_attach(skel, NULL, &err))
		return puts(err.message), 1;
	printf("%s %p ", ebpf_link_kind_name(skel->map_links.first), (void *)skel->map_links.second);
	printf("%d ", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "ebpf_link", 9));
	load_link_ops_detach(skel);
	printf("%p\n", (void *)skel->map_links.first);
	load_link_ops_destroy(skel);
}
