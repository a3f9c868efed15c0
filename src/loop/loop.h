/* loop.h -- waiting for many things at once, and calling back: one epoll instance and the sources that are in it.
 *
 * A source is a descriptor and what is done when it is ready; each kind (source.c) is a row of two functions. All are level-triggered:
 * what a callback leaves unread is reported again.
 *
 * The loop owns its sources, and those of them that the caller has a pointer to until the caller removes them. A source that is removed while
 * callbacks run is a tombstone until the outermost dispatch ends: the batch of events in hand may still name it, and its own
 * callback may be the one that removed it. So a callback may remove and add any source, and run steps of the same loop.
 * `live` counts the sources that can still call back: a timer that fires once stops being one before its callback is called.
 *
 * A signal is blocked for the thread that adds its source, and has the state that it had before when the source is removed by the same thread;
 * what was pending then is taken to have been the source's, and dropped.
 * The loop needs no kernel context. It calls the table of system calls that it was made with.
 * A process is waited for by a descriptor of it, so that no other process can be meant; one that is our child is reaped.
 * A ring is looked at again after its callback: it takes a flush back when all is read (ring/wait.c).
 * Not here: draining rings (the callback does), and other threads.
 */
#ifndef EBPF_LOOP_H
#define EBPF_LOOP_H

#include "ring/ring.h"

struct ebpf_source_kind {
	/* Calls back, if there turns out to be something: 1, 0, or the callback's negative result (or one of its own, with err filled). */
	int (*deliver)(struct ebpf_source *source, uint32_t events, struct ebpf_error *err);
	/* Gives up what the source owns, its descriptor apart; or NULL. */
	void (*close)(struct ebpf_source *source);
	bool owns_fd;
};

struct ebpf_source {
	struct ebpf_loop *loop;
	struct ebpf_source *next, *previous; /* in the loop's list; a tombstone: `next` of the graveyard */
	const struct ebpf_source_kind *kind;
	int fd;
	bool has_second;      /* another descriptor, which it does not own */
	int second_fd;
	struct ebpf_ring *ring;
	ebpf_source_fn callback;
	void *context;
	bool live;            /* is in the epoll set */
	bool kept;            /* the caller has the pointer */
	bool removed;
	int signal;
	int pid;              /* of a process */
	bool was_blocked;     /* the signal, before us */
	bool once;            /* a timer without an interval */
};

struct ebpf_loop {
	const struct ebpf_sys *sys;
	int epoll_fd;
	struct ebpf_source *sources, *graveyard;
	size_t live;
	pid_t opener;         /* a child that it forks shares the epoll set, and must leave it alone */
	unsigned depth;       /* of dispatches: steps within callbacks */
	bool stopped;
	bool leaves_children; /* to be reaped by somebody else */
};

/* A loop on another table of system calls: tests. */
int ebpf_loop_new_with(const struct ebpf_sys *sys, struct ebpf_loop **out, struct ebpf_error *err);

/* For source.c. Takes `fd` over if the kind owns it: on failure it has been closed. `what` names the source in messages. */
int ebpf_source_add(struct ebpf_loop *loop, const struct ebpf_source *model, uint32_t events, const char *what, struct ebpf_source **out,
		    struct ebpf_error *err);
/* Out of the epoll set; its own descriptor is closed. It stays in the list until it is removed. */
void ebpf_source_retire(struct ebpf_source *source);

#endif
