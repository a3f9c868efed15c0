#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "link/netlink.h"

#define RECEIVE_SIZE (64U << 10)

int ebpf_netlink_open(struct ebpf_link *link)
{
	link->socket_fd = ebpf_kernel_sys(link->kernel)->socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	return link->socket_fd < 0 ? link->socket_fd : 0;
}

/* -- requests -- */

void ebpf_netlink_begin(struct ebpf_netlink_request *request, uint16_t type, uint16_t flags, const void *body, size_t size)
{
	memset(request, 0, sizeof *request);
	mnl_nlmsg_put_header(&request->head);
	request->head.nlmsg_type = type;
	request->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	memcpy(mnl_nlmsg_put_extra_header(&request->head, size), body, size);
}

void ebpf_netlink_add(struct ebpf_netlink_request *request, uint16_t type, const void *data, size_t size)
{
	request->full |= !mnl_attr_put_check(&request->head, offsetof(struct ebpf_netlink_request, full), type, size, data);
}

void ebpf_netlink_add_u32(struct ebpf_netlink_request *request, uint16_t type, uint32_t value)
{
	ebpf_netlink_add(request, type, &value, sizeof value);
}

struct nlattr *ebpf_netlink_nest(struct ebpf_netlink_request *request, uint16_t type)
{
	struct nlattr *nest = mnl_attr_nest_start_check(&request->head, offsetof(struct ebpf_netlink_request, full), type);

	request->full |= !nest;
	return nest;
}

void ebpf_netlink_nest_end(struct ebpf_netlink_request *request, struct nlattr *nest)
{
	if (nest)
		mnl_attr_nest_end(&request->head, nest);
}

/* -- answers -- */

/* Where the messages of an answer go: the first one alone is kept, or each is shown to somebody. */
struct taker {
	struct ebpf_netlink_answer *answer;
	ebpf_netlink_each *each;
	void *context;
};

static int keep_message(const struct nlmsghdr *message, struct taker *taker)
{
	struct ebpf_netlink_answer *answer = taker->answer;

	if (answer->count++ && !taker->each)
		return 0;
	answer->size = message->nlmsg_len < sizeof answer->data ? message->nlmsg_len : sizeof answer->data;
	memcpy(answer->data, message, answer->size);
	return taker->each ? taker->each(answer, taker->context) : 0;
}

/* One message: 1 = it ends the answer, whose result is in *code; 0 = there is more; -errno. */
static int take_message(const struct nlmsghdr *message, struct taker *taker, int *code)
{
	if (message->nlmsg_type != NLMSG_ERROR && message->nlmsg_type != NLMSG_DONE)
		return keep_message(message, taker);
	if (mnl_nlmsg_get_payload_len(message) >= sizeof *code)
		memcpy(code, mnl_nlmsg_get_payload(message), sizeof *code);
	else
		*code = message->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
	return 1;
}

/* All messages of one datagram; what is of an earlier request, whose answer was lost, is passed over. */
static int take_datagram(struct ebpf_link *link, const void *data, size_t size, struct taker *taker, int *code)
{
	const struct nlmsghdr *message = data;
	int left = (int)size, result = 0;

	for (; left > 0 && result == 0; message = mnl_nlmsg_next(message, &left)) {
		if (!mnl_nlmsg_ok(message, left))
			return -EBADMSG;
		if (message->nlmsg_seq == link->socket_sequence)
			result = take_message(message, taker, code);
	}
	return result;
}

static int receive(struct ebpf_link *link, struct taker *taker)
{
	uint8_t *buffer = malloc(RECEIVE_SIZE);
	int result = buffer ? 0 : -ENOMEM, code = 0;

	while (result == 0) {
		ssize_t got = ebpf_kernel_sys(link->kernel)->recv(link->socket_fd, buffer, RECEIVE_SIZE, 0);

		if (got == -EINTR)
			continue;
		if (got < 0)
			result = (int)got;
		else
			result = take_datagram(link, buffer, (size_t)got, taker, &code);
	}
	free(buffer);
	taker->answer->lost = result < 0;
	return result < 0 ? result : code;
}

static int exchange(struct ebpf_link *link, struct ebpf_netlink_request *request, struct taker *taker)
{
	ssize_t sent;

	taker->answer->size = taker->answer->count = 0;
	taker->answer->lost = false;
	if (request->full)
		return -EMSGSIZE;
	request->head.nlmsg_seq = ++link->socket_sequence;
	sent = ebpf_kernel_sys(link->kernel)->send(link->socket_fd, request, request->head.nlmsg_len, 0);
	return sent < 0 ? (int)sent : receive(link, taker);
}

int ebpf_netlink_exchange(struct ebpf_link *link, struct ebpf_netlink_request *request, struct ebpf_netlink_answer *answer)
{
	return exchange(link, request, &(struct taker){ .answer = answer });
}

int ebpf_netlink_dump(struct ebpf_link *link, struct ebpf_netlink_request *request, ebpf_netlink_each *each, void *context)
{
	struct ebpf_netlink_answer answer;

	return exchange(link, request, &(struct taker){ .answer = &answer, .each = each, .context = context });
}

bool ebpf_netlink_find(struct ebpf_span list, uint16_t type, struct ebpf_span *value)
{
	const struct nlattr *attr = (const void *)list.data;

	for (; mnl_attr_ok(attr, (int)(list.data + list.size - (const uint8_t *)attr)); attr = mnl_attr_next(attr))
		if (mnl_attr_get_type(attr) == type) {
			*value = (struct ebpf_span){ .data = mnl_attr_get_payload(attr), .size = mnl_attr_get_payload_len(attr) };
			return true;
		}
	return false;
}

bool ebpf_netlink_attributes(const struct ebpf_netlink_answer *answer, size_t fixed, struct ebpf_span *list)
{
	struct ebpf_span message = { .data = answer->data, .size = answer->size };
	size_t head = MNL_NLMSG_HDRLEN + MNL_ALIGN(fixed);

	return answer->size > head && ebpf_span_sub(message, head, answer->size - head, list);
}
