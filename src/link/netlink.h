/* netlink.h -- rtnetlink for the kinds that older kernels attach by it: one request at a time, and its answer.
 *
 * Messages are built and read by libmnl; sending and receiving go through the kernel context's table of system calls. The
 * socket is the link's own (link->socket_fd), of the network namespace of the thread that made it.
 */
#ifndef EBPF_LINK_NETLINK_H
#define EBPF_LINK_NETLINK_H

#include <linux/netlink.h>

#include "link/link.h"

struct ebpf_netlink_request {
	struct nlmsghdr head;
	uint8_t body[240];
	bool full;           /* something did not fit: the exchange fails with EMSGSIZE */
};
struct ebpf_netlink_answer {
	uint8_t data[8192];  /* the first message (not an acknowledgement), cut to what fits */
	size_t size;
	size_t count;        /* messages */
	bool lost;           /* the request went out, but not all of its answer came: it is not known what the kernel did */
};

/* Makes the socket; -errno. */
int ebpf_netlink_open(struct ebpf_link *link);
/* Starts a request with its fixed part. */
void ebpf_netlink_begin(struct ebpf_netlink_request *request, uint16_t type, uint16_t flags, const void *body, size_t size);
void ebpf_netlink_add(struct ebpf_netlink_request *request, uint16_t type, const void *data, size_t size);
void ebpf_netlink_add_u32(struct ebpf_netlink_request *request, uint16_t type, uint32_t value);
/* What is added between the two is nested in an attribute. */
struct nlattr *ebpf_netlink_nest(struct ebpf_netlink_request *request, uint16_t type);
void ebpf_netlink_nest_end(struct ebpf_netlink_request *request, struct nlattr *nest);
/* Sends and waits for the end of the answer: 0 or the kernel's -errno. */
int ebpf_netlink_exchange(struct ebpf_link *link, struct ebpf_netlink_request *request, struct ebpf_netlink_answer *answer);
/* The same of a dump: `each` is called for every message, and ends it by a -errno. */
typedef int ebpf_netlink_each(const struct ebpf_netlink_answer *message, void *context);
int ebpf_netlink_dump(struct ebpf_link *link, struct ebpf_netlink_request *request, ebpf_netlink_each *each, void *context);
/* The attribute `type` of a list; false when there is none. */
bool ebpf_netlink_find(struct ebpf_span list, uint16_t type, struct ebpf_span *value);
/* The attributes of the first message, behind a fixed part of so many bytes. */
bool ebpf_netlink_attributes(const struct ebpf_netlink_answer *answer, size_t fixed, struct ebpf_span *list);

#endif
