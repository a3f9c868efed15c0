/* iterator.c -- one run of an iterator's program over all that it walks, read piece by piece or line by line. */
#include <stdlib.h>

#include "link/link.h"

#define CHUNK 4096
#define LIMIT (16U << 20) /* a program that never ends its line must not take all memory */

struct ebpf_iterator {
	struct ebpf_link *link;
	int fd;
	struct ebpf_buffer text; /* read, and not given out yet from `at` on */
	size_t at;
	bool ended;
	struct ebpf_btf *btf;    /* NULL = not asked for yet */
};

int ebpf_iterator_open(struct ebpf_link *link, struct ebpf_iterator **out, struct ebpf_error *err)
{
	struct ebpf_iterator *iterator;
	union bpf_attr attr;
	int fd;

	if (link->detached)
		return ebpf_fail(err, EBADF, "link '%s': read: it is detached", link->target);
	memset(&attr, 0, sizeof attr);
	attr.iter_create.link_fd = (uint32_t)link->fd;
	fd = ebpf_kernel_sys(link->kernel)->bpf(BPF_ITER_CREATE, &attr, EBPF_ATTR_SIZE(iter_create));
	if (fd == -EINVAL || link->fd < 0)
		return ebpf_fail(err, EINVAL, "link '%s': read: only links of kind iter can be read", link->target);
	if (fd < 0)
		return ebpf_fail_errno(err, fd, "link '%s': read", link->target);
	iterator = calloc(1, sizeof *iterator);
	if (!iterator) {
		ebpf_kernel_sys(link->kernel)->close(fd);
		return ebpf_fail_memory(err);
	}
	iterator->link = ebpf_link_ref(link);
	iterator->fd = fd;
	*out = iterator;
	return 0;
}

void ebpf_iterator_close(struct ebpf_iterator *iterator)
{
	if (!iterator)
		return;
	ebpf_kernel_sys(iterator->link->kernel)->close(iterator->fd);
	ebpf_link_close(iterator->link);
	ebpf_buffer_free(&iterator->text);
	ebpf_btf_free(iterator->btf);
	free(iterator);
}

struct ebpf_btf *ebpf_iterator_btf(struct ebpf_iterator *iterator, struct ebpf_error *err)
{
	if (!iterator->btf)
		ebpf_link_btf(iterator->link, &iterator->btf, err);
	return iterator->btf;
}

int ebpf_iterator_fd(const struct ebpf_iterator *iterator)
{
	return iterator->fd;
}

/* The kernel says EAGAIN when the program printed nothing for very many objects: it goes on where it was. */
static ssize_t read_some(struct ebpf_iterator *iterator, void *data, size_t size, struct ebpf_error *err)
{
	ssize_t got;

	do
		got = ebpf_kernel_sys(iterator->link->kernel)->read(iterator->fd, data, size);
	while (got == -EAGAIN || got == -EINTR);
	return got < 0 ? ebpf_fail_errno(err, (int)got, "link '%s': read", iterator->link->target) : got;
}

int64_t ebpf_iterator_read(struct ebpf_iterator *iterator, void *data, size_t size, struct ebpf_error *err)
{
	size_t kept = iterator->text.size - iterator->at;

	if (!kept)
		return read_some(iterator, data, size, err);
	kept = kept < size ? kept : size;
	memcpy(data, iterator->text.data + iterator->at, kept);
	iterator->at += kept;
	return (int64_t)kept;
}

/* More behind what is there, whose start is moved to the front. */
static int read_more(struct ebpf_iterator *iterator, struct ebpf_error *err)
{
	char chunk[CHUNK];
	ssize_t got;

	if (iterator->at) {
		iterator->text.size -= iterator->at;
		memmove(iterator->text.data, iterator->text.data + iterator->at, iterator->text.size);
		iterator->at = 0;
	}
	if (iterator->text.size > LIMIT)
		return ebpf_fail(err, E2BIG, "link '%s': read: a line or record of more than %u bytes", iterator->link->target, LIMIT);
	got = read_some(iterator, chunk, sizeof chunk, err);
	if (got < 0)
		return (int)got;
	iterator->ended = got == 0;
	if (got)
		ebpf_buffer_add(&iterator->text, chunk, (size_t)got);
	return iterator->text.failed ? ebpf_fail_memory(err) : 0;
}

int ebpf_iterator_line(struct ebpf_iterator *iterator, const char **line, size_t *size, struct ebpf_error *err)
{
	for (size_t seen = 0;;) {
		size_t left = iterator->text.size - iterator->at;
		const char *start = iterator->text.data + iterator->at;
		const char *end = left > seen ? memchr(start + seen, '\n', left - seen) : NULL;
		int result;

		if (end || (iterator->ended && left)) {
			*line = start;
			*size = end ? (size_t)(end - start) : left;
			iterator->at += *size + (end != NULL);
			return 1;
		}
		if (iterator->ended)
			return 0;
		seen = left;
		result = read_more(iterator, err);
		if (result)
			return result;
	}
}

int ebpf_iterator_record(struct ebpf_iterator *iterator, size_t size, const void **data, struct ebpf_error *err)
{
	for (;;) {
		size_t left = iterator->text.size - iterator->at;
		int result;

		if (left >= size) {
			*data = iterator->text.data + iterator->at;
			iterator->at += size;
			return 1;
		}
		if (iterator->ended && left)
			return ebpf_fail(err, EBADMSG, "link '%s': read: it ends with %zu bytes of a record of %zu", iterator->link->target,
					 left, size);
		if (iterator->ended)
			return 0;
		result = read_more(iterator, err);
		if (result)
			return result;
	}
}
