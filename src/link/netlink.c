#include <stdlib.h>
#include <sys/socket.h>

#include "link/netlink.h"

#define RECEIVE_SIZE (64U << 10)
#define ALIGNED(size) (((size) + 3U) & ~3U)

int ebpf_netlink_open(struct ebpf_link *link)
{
	link->socket_fd = ebpf_kernel_sys(link->kernel)->socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	return link->socket_fd < 0 ? link->socket_fd : 0;
}

/* -- requests -- */

void ebpf_netlink_begin(struct ebpf_netlink_request *request, uint16_t type, uint16_t flags, const void *body, size_t size)
{
	memset(request, 0, sizeof *request);
	memcpy(request->body, body, size);
	request->head.nlmsg_type = type;
	request->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	request->head.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + ALIGNED(size));
}

void ebpf_netlink_add(struct ebpf_netlink_request *request, uint16_t type, const void *data, size_t size)
{
	uint8_t *at = (uint8_t *)request + request->head.nlmsg_len;
	struct nlattr head = { .nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type };

	memcpy(at, &head, sizeof head);
	if (size)
		memcpy(at + NLA_HDRLEN, data, size);
	request->head.nlmsg_len += (uint32_t)ALIGNED(NLA_HDRLEN + size);
}

void ebpf_netlink_add_u32(struct ebpf_netlink_request *request, uint16_t type, uint32_t value)
{
	ebpf_netlink_add(request, type, &value, sizeof value);
}

size_t ebpf_netlink_nest(struct ebpf_netlink_request *request, uint16_t type)
{
	size_t start = request->head.nlmsg_len;

	ebpf_netlink_add(request, type | NLA_F_NESTED, NULL, 0);
	return start;
}

void ebpf_netlink_nest_end(struct ebpf_netlink_request *request, size_t start)
{
	uint16_t size = (uint16_t)(request->head.nlmsg_len - start);

	memcpy((uint8_t *)request + start, &size, sizeof size);
}

/* -- answers -- */

/* One message: 1 = it ends the answer, whose result is in *code; 0 = there is more. */
static int take_message(struct ebpf_span message, uint16_t type, struct ebpf_netlink_answer *answer, int *code)
{
	uint32_t error;

	if (type == NLMSG_ERROR || type == NLMSG_DONE) {
		*code = ebpf_span_u32(message, NLMSG_HDRLEN, &error) ? (int)error : type == NLMSG_DONE ? 0 : -EBADMSG;
		return 1;
	}
	if (!answer->count++) {
		answer->size = message.size < sizeof answer->data ? message.size : sizeof answer->data;
		memcpy(answer->data, message.data, answer->size);
	}
	return 0;
}

/* All messages of one datagram; what is of an earlier request, whose answer was lost, is passed over. */
static int take_datagram(struct ebpf_link *link, struct ebpf_span bytes, struct ebpf_netlink_answer *answer, int *code)
{
	while (bytes.size) {
		struct ebpf_span message;
		uint32_t length, sequence;
		uint16_t type;

		if (!ebpf_span_u32(bytes, 0, &length) || !ebpf_span_u16(bytes, 4, &type) || !ebpf_span_u32(bytes, 8, &sequence) ||
		    length < NLMSG_HDRLEN || !ebpf_span_sub(bytes, 0, length, &message))
			return -EBADMSG;
		if (sequence == link->socket_sequence && take_message(message, type, answer, code))
			return 1;
		length = ALIGNED(length);
		if (length >= bytes.size)
			break;
		ebpf_span_sub(bytes, length, bytes.size - length, &bytes);
	}
	return 0;
}

static int receive(struct ebpf_link *link, struct ebpf_netlink_answer *answer)
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
			result = take_datagram(link, (struct ebpf_span){ .data = buffer, .size = (size_t)got }, answer, &code);
	}
	free(buffer);
	answer->lost = result < 0;
	return result < 0 ? result : code;
}

int ebpf_netlink_exchange(struct ebpf_link *link, struct ebpf_netlink_request *request, struct ebpf_netlink_answer *answer)
{
	ssize_t sent;

	answer->size = answer->count = 0;
	answer->lost = false;
	request->head.nlmsg_seq = ++link->socket_sequence;
	sent = ebpf_kernel_sys(link->kernel)->send(link->socket_fd, request, request->head.nlmsg_len, 0);
	return sent < 0 ? (int)sent : receive(link, answer);
}

bool ebpf_netlink_find(struct ebpf_span list, uint16_t type, struct ebpf_span *value)
{
	uint16_t length, found;

	for (uint64_t at = 0; ebpf_span_u16(list, at, &length) && ebpf_span_u16(list, at + 2, &found) && length >= NLA_HDRLEN;
	     at += ALIGNED(length))
		if ((found & NLA_TYPE_MASK) == type)
			return ebpf_span_sub(list, at + NLA_HDRLEN, length - (uint64_t)NLA_HDRLEN, value);
	return false;
}

bool ebpf_netlink_attributes(const struct ebpf_netlink_answer *answer, size_t fixed, struct ebpf_span *list)
{
	struct ebpf_span message = { .data = answer->data, .size = answer->size };
	size_t head = NLMSG_HDRLEN + ALIGNED(fixed);

	return answer->size > head && ebpf_span_sub(message, head, answer->size - head, list);
}
