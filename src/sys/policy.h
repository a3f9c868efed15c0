/* policy.h -- who is asked before a privileged step: for the table of system calls, and for who knows what a step is for.
 *
 * A policy belongs to a thread, as long as a host has set it; without one nothing is asked, at the cost of one look at a thread-local pointer.
 * It is asked where the system call is made, so that no way around it exists in this library. What the call does not say (an event's name is
 * not in perf_event_open's arguments) the link says before: its intent.
 *
 * What is done in attempts, one interface after the other, is one thing for the host: what it has refused is refused to all of them unasked, and what it has
 * granted in the same words is granted. */
#ifndef EBPF_SYS_POLICY_H
#define EBPF_SYS_POLICY_H

#include <sys/types.h>

#include "sys/attr.h"

struct perf_event_attr;
struct ebpf_policy;

/* 0 = go on; -EPERM. */
int ebpf_policy_bpf(enum bpf_cmd cmd, const union bpf_attr *attr);
int ebpf_policy_perf_event(const struct perf_event_attr *attr);
int ebpf_policy_mmap(int prot, int flags, int fd);
int ebpf_policy_open(int folder, const char *path, int flags);
int ebpf_policy_unlink(const char *path);
int ebpf_policy_rename(const char *from, const char *to);
int ebpf_policy_ioctl(int fd, unsigned long request, unsigned long argument);
int ebpf_policy_setsockopt(int level, int name, const void *value, size_t size);
int ebpf_policy_send(const void *data, size_t size);

/* For who writes to a descriptor that was given. */
int ebpf_policy_descriptor(int fd);

/* Before the engine's own small programs and maps that find out about a feature: these are not asked about one by one. 0, and the policy is away, and in *policy, to be
 * set again afterwards; or -EPERM. */
int ebpf_policy_probe(const char *feature, struct ebpf_policy **policy);

/* Around the attempts at one thing; may be nested: then it is one thing still. */
void ebpf_policy_begin(void);
void ebpf_policy_end(void);
/* What the next steps of this thread are for ("kprobe do_unlinkat"), borrowed, until NULL is given: attempts, too. */
void ebpf_policy_intend(const char *intent);

#endif
