/* privilege.h -- capabilities by number; for the files of this room alone. */
#ifndef EBPF_KERNEL_PRIVILEGE_H
#define EBPF_KERNEL_PRIVILEGE_H

enum {
	CAP_BIT_NET_ADMIN = 12,
	CAP_BIT_SYS_ADMIN = 21,
	CAP_BIT_SYS_RESOURCE = 24,
	CAP_BIT_SYSLOG = 34,
	CAP_BIT_PERFMON = 38,
	CAP_BIT_BPF = 39
};

#endif
