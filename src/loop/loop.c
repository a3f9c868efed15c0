/* loop.c -- the epoll instance, the list of sources, and dispatch. */
#include "loop/loop.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Events taken from the kernel at a time. More would not save much; what is left over is at the head of the next batch. */
#define BATCH 64

_Static_assert((int)EBPF_READ == (int)EPOLLIN && (int)EBPF_WRITE == (int)EPOLLOUT && (int)EBPF_ERROR == (int)EPOLLERR &&
	       (int)EBPF_HANGUP == (int)EPOLLHUP, "the public names are epoll's");

int ebpf_loop_new_with(const struct ebpf_sys *sys, struct ebpf_loop **out, struct ebpf_error *err)
{
	struct ebpf_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return ebpf_fail_memory(err);
	loop->sys = sys;
	loop->opener = getpid();
	loop->epoll_fd = sys->epoll_create();
	if (loop->epoll_fd < 0) {
		int code = loop->epoll_fd;

		free(loop);
		return ebpf_fail_errno(err, code, "loop: cannot create an epoll instance");
	}
	*out = loop;
	return 0;
}

int ebpf_loop_new(struct ebpf_loop **out, struct ebpf_error *err)
{
	return ebpf_loop_new_with(&ebpf_sys_linux, out, err);
}

static void bury(struct ebpf_loop *loop)
{
	while (loop->graveyard) {
		struct ebpf_source *source = loop->graveyard;

		loop->graveyard = source->next;
		free(source);
	}
}

void ebpf_loop_free(struct ebpf_loop *loop)
{
	if (!loop)
		return;
	while (loop->sources)
		ebpf_source_remove(loop->sources);
	bury(loop);
	loop->sys->close(loop->epoll_fd);
	free(loop);
}

int ebpf_loop_fd(const struct ebpf_loop *loop)
{
	return loop->epoll_fd;
}

size_t ebpf_loop_count(const struct ebpf_loop *loop)
{
	return loop->live;
}

/* -- sources -- */

static int explain_add(const struct ebpf_source *source, int code, const char *what, struct ebpf_error *err)
{
	switch (-code) {
	case EPERM:
		ebpf_fail(err, code, "loop: %s: descriptor %d cannot be waited for", what, source->fd);
		ebpf_hint(err, "regular files and directories are always ready: read them without the loop");
		return code;
	case EEXIST:
		return ebpf_fail(err, code, "loop: %s: descriptor %d is in this loop already", what, source->fd);
	case EBADF:
		return ebpf_fail(err, code, "loop: %s: descriptor %d is not open", what, source->fd);
	case EINVAL:
	case ELOOP:
		return ebpf_fail(err, code, "loop: %s: descriptor %d is this loop, or a loop that waits for it", what, source->fd);
	case ENOSPC:
		ebpf_fail_errno(err, code, "loop: %s: descriptor %d", what, source->fd);
		ebpf_hint(err, "the limit is in /proc/sys/fs/epoll/max_user_watches");
		return code;
	}
	return ebpf_fail_errno(err, code, "loop: %s: descriptor %d", what, source->fd);
}

int ebpf_source_add(struct ebpf_loop *loop, const struct ebpf_source *model, uint32_t events, const char *what, struct ebpf_source **out,
		    struct ebpf_error *err)
{
	struct ebpf_source *source = malloc(sizeof(*source));
	struct epoll_event event = { .events = events, .data.ptr = source };
	int ret;

	if (!source) {
		if (model->kind->owns_fd)
			loop->sys->close(model->fd);
		return ebpf_fail_memory(err);
	}
	*source = *model;
	ret = loop->sys->epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event);
	if (ret == 0 && source->has_second) {
		ret = loop->sys->epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->second_fd, &event);
		if (ret < 0)
			loop->sys->epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, &event);
	}
	if (ret < 0) {
		explain_add(source, ret, what, err);
		if (source->kind->owns_fd)
			loop->sys->close(source->fd);
		free(source);
		return ret;
	}
	source->loop = loop;
	source->live = true;
	source->kept = out != NULL;
	source->previous = NULL;
	source->next = loop->sources;
	if (source->next)
		source->next->previous = source;
	loop->sources = source;
	loop->live++;
	if (out)
		*out = source;
	return 0;
}

void ebpf_source_retire(struct ebpf_source *source)
{
	struct ebpf_loop *loop = source->loop;
	struct epoll_event unused = { 0 };

	if (!source->live)
		return;
	source->live = false;
	loop->live--;
	/* A failure means that the caller has closed the descriptor already, and with it the kernel has forgotten it. */
	if (loop->opener == getpid()) {
		loop->sys->epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, &unused);
		if (source->has_second)
			loop->sys->epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->second_fd, &unused);
	}
	if (source->kind->close)
		source->kind->close(source);
	if (source->kind->owns_fd)
		loop->sys->close(source->fd);
}

void ebpf_source_remove(struct ebpf_source *source)
{
	struct ebpf_loop *loop;

	if (!source || source->removed)
		return;
	loop = source->loop;
	ebpf_source_retire(source);
	if (source->previous)
		source->previous->next = source->next;
	else
		loop->sources = source->next;
	if (source->next)
		source->next->previous = source->previous;
	source->removed = true;
	source->next = loop->graveyard;
	loop->graveyard = source;
	if (!loop->depth)
		bury(loop);
}

/* -- dispatch -- */

static int dispatch(struct ebpf_loop *loop, const struct epoll_event *events, int count, struct ebpf_error *err)
{
	int called = 0, ret = 0;

	loop->depth++;
	/* Whatever a stop leaves in the batch is still unread, and comes again with the next wait. */
	for (int i = 0; i < count && ret >= 0 && !loop->stopped; i++) {
		struct ebpf_source *source = events[i].data.ptr;

		if (!source->live)
			continue;
		ret = source->kind->deliver(source, events[i].events, err);
		called += ret > 0;
		if (!source->live && !source->kept)
			ebpf_source_remove(source);
	}
	loop->depth--;
	if (!loop->depth)
		bury(loop);
	return ret < 0 ? ret : called;
}

static int wait_and_dispatch(struct ebpf_loop *loop, int timeout_ms, struct ebpf_error *err)
{
	struct epoll_event events[BATCH];
	int count = loop->sys->epoll_wait(loop->epoll_fd, events, BATCH, timeout_ms);

	if (count == -EINTR)
		return 0;
	if (count < 0)
		return ebpf_fail_errno(err, count, "loop: cannot wait");
	return dispatch(loop, events, count, err);
}

int ebpf_loop_run(struct ebpf_loop *loop, struct ebpf_error *err)
{
	if (!loop->depth)
		loop->stopped = false;
	while (loop->live && !loop->stopped) {
		int ret = wait_and_dispatch(loop, -1, err);

		if (ret < 0)
			return ret;
	}
	return 0;
}

int ebpf_loop_step(struct ebpf_loop *loop, int timeout_ms, struct ebpf_error *err)
{
	if (!loop->depth)
		loop->stopped = false;
	if (!loop->live && timeout_ms < 0)
		return 0;
	return wait_and_dispatch(loop, timeout_ms, err);
}

void ebpf_loop_stop(struct ebpf_loop *loop)
{
	loop->stopped = true;
}
