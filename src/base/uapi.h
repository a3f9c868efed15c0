/* uapi.h -- numbers of the kernel's interface: flags and sizes of include/uapi/linux/bpf.h and of if_link.h's XDP
 * part.
 *
 * Distribution headers are older than the kernels that we run on, so nobody in the house includes <linux/bpf.h>; the
 * facts are here. Enumerations that grow with each kernel are generated (uapi_gen.h); what is written by hand below
 * is grouped by the member of union bpf_attr that it belongs to. Macros, not enumerators, so that a system header
 * that has the same name does no harm.
 */
#ifndef EBPF_BASE_UAPI_H
#define EBPF_BASE_UAPI_H

#include "base/uapi_gen.h"

#define BPF_OBJ_NAME_LEN 16U /* NUL included */
#define BPF_TAG_SIZE 8
#define BPF_BUILD_ID_SIZE 20
#define MAX_BPF_REG 11
#define MAX_BPF_STACK 512

/* map_flags of BPF_MAP_CREATE; some of them also file_flags of BPF_OBJ_PIN/GET and open_flags of ..._GET_FD_BY_ID */
#define BPF_F_NO_PREALLOC (1U << 0)
#define BPF_F_NO_COMMON_LRU (1U << 1)
#define BPF_F_NUMA_NODE (1U << 2)
#define BPF_F_RDONLY (1U << 3)            /* access by system calls */
#define BPF_F_WRONLY (1U << 4)
#define BPF_F_STACK_BUILD_ID (1U << 5)
#define BPF_F_ZERO_SEED (1U << 6)
#define BPF_F_RDONLY_PROG (1U << 7)       /* access by programs, 5.2 */
#define BPF_F_WRONLY_PROG (1U << 8)
#define BPF_F_CLONE (1U << 9)
#define BPF_F_MMAPABLE (1U << 10)         /* 5.5 */
#define BPF_F_PRESERVE_ELEMS (1U << 11)   /* 5.10 */
#define BPF_F_INNER_MAP (1U << 12)        /* 5.10 */
#define BPF_F_LINK (1U << 13)             /* 6.4: a struct_ops map that is attached by a link */
#define BPF_F_PATH_FD (1U << 14)          /* 6.5: path_fd is valid */
#define BPF_F_VTYPE_BTF_OBJ_FD (1U << 15) /* 6.9: value_type_btf_obj_fd is valid */
#define BPF_F_TOKEN_FD (1U << 16)         /* 6.9: a token is given; also in prog_flags, btf_flags */
#define BPF_F_SEGV_ON_FAULT (1U << 17)    /* 6.9 */
#define BPF_F_NO_USER_CONV (1U << 18)     /* 6.9 */
#define BPF_F_RB_OVERWRITE (1U << 19)     /* 6.19 */

/* flags of BPF_MAP_UPDATE_ELEM, elem_flags of batches */
#define BPF_ANY 0
#define BPF_NOEXIST 1
#define BPF_EXIST 2
#define BPF_F_LOCK 4                      /* 5.1; also of lookups */
#define BPF_F_CPU 8                       /* one CPU of a per-CPU map, its number in the upper 32 bits of flags */
#define BPF_F_ALL_CPUS 16

/* prog_flags of BPF_PROG_LOAD */
#define BPF_F_STRICT_ALIGNMENT (1U << 0)
#define BPF_F_ANY_ALIGNMENT (1U << 1)
#define BPF_F_TEST_RND_HI32 (1U << 2)
#define BPF_F_TEST_STATE_FREQ (1U << 3)
#define BPF_F_SLEEPABLE (1U << 4)         /* 5.10 */
#define BPF_F_XDP_HAS_FRAGS (1U << 5)     /* 5.18 */
#define BPF_F_XDP_DEV_BOUND_ONLY (1U << 6)/* 6.3 */
#define BPF_F_TEST_REG_INVARIANTS (1U << 7)

/* log_level of BPF_PROG_LOAD and btf_log_level */
#define BPF_LOG_LEVEL1 1
#define BPF_LOG_LEVEL2 2
#define BPF_LOG_STATS 4
#define BPF_LOG_FIXED 8                   /* 6.4: keep the head of the log when it overflows, not the tail */

/* src of a wide load, and of a call */
#define BPF_PSEUDO_MAP_FD 1
#define BPF_PSEUDO_MAP_VALUE 2
#define BPF_PSEUDO_BTF_ID 3
#define BPF_PSEUDO_FUNC 4
#define BPF_PSEUDO_MAP_IDX 5              /* index into fd_array, 5.14 */
#define BPF_PSEUDO_MAP_IDX_VALUE 6
#define BPF_PSEUDO_CALL 1
#define BPF_PSEUDO_KFUNC_CALL 2

/* attach_flags of BPF_PROG_ATTACH, flags of BPF_LINK_CREATE and BPF_LINK_UPDATE */
#define BPF_F_ALLOW_OVERRIDE (1U << 0)
#define BPF_F_ALLOW_MULTI (1U << 1)
#define BPF_F_REPLACE (1U << 2)
#define BPF_F_BEFORE (1U << 3)            /* 6.6: tcx, netkit; 6.16: cgroup */
#define BPF_F_AFTER (1U << 4)
#define BPF_F_ID (1U << 5)                /* relative_id instead of relative_fd */
#define BPF_F_PREORDER (1U << 6)
#define BPF_F_KPROBE_MULTI_RETURN (1U << 0)
#define BPF_F_UPROBE_MULTI_RETURN (1U << 0)
#define BPF_F_UPROBE_MULTI_PATH_FD (1U << 1)
#define BPF_F_NETFILTER_IP_DEFRAG (1U << 0)

#define BPF_F_QUERY_EFFECTIVE (1U << 0)   /* query_flags of BPF_PROG_QUERY */

/* test.flags of BPF_PROG_RUN */
#define BPF_F_TEST_RUN_ON_CPU (1U << 0)   /* 5.10 */
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1) /* 5.18 */
#define BPF_F_TEST_SKB_CHECKSUM_COMPLETE (1U << 2)

/* prog_stream_read.stream_id, 6.17 */
#define BPF_STREAM_STDOUT 1
#define BPF_STREAM_STDERR 2

/* flags of the helpers that take a perf event array or a ring buffer */
#define BPF_F_INDEX_MASK 0xffffffffULL
#define BPF_F_CURRENT_CPU BPF_F_INDEX_MASK
#define BPF_RB_NO_WAKEUP (1ULL << 0)
#define BPF_RB_FORCE_WAKEUP (1ULL << 1)
#define BPF_RB_AVAIL_DATA 0
#define BPF_RB_RING_SIZE 1
#define BPF_RB_CONS_POS 2
#define BPF_RB_PROD_POS 3

/* the 8 bytes before each record of a ring buffer: a length with these bits, and a page offset */
#define BPF_RINGBUF_BUSY_BIT (1U << 31)
#define BPF_RINGBUF_DISCARD_BIT (1U << 30)
#define BPF_RINGBUF_HDR_SZ 8

/* line_col of struct bpf_line_info */
#define BPF_LINE_INFO_LINE_NUM(line_col) ((line_col) >> 10)
#define BPF_LINE_INFO_LINE_COL(line_col) ((line_col) & 0x3ff)

/* X(kind, name): kinds of CO-RE relocations as libbpf and LLVM abbreviate them */
#define BPF_CORE_RELO_KINDS(X) \
	X(BPF_CORE_FIELD_BYTE_OFFSET, "byte_off") X(BPF_CORE_FIELD_BYTE_SIZE, "byte_sz") \
	X(BPF_CORE_FIELD_EXISTS, "field_exists") X(BPF_CORE_FIELD_SIGNED, "signed") \
	X(BPF_CORE_FIELD_LSHIFT_U64, "lshift_u64") X(BPF_CORE_FIELD_RSHIFT_U64, "rshift_u64") \
	X(BPF_CORE_TYPE_ID_LOCAL, "local_type_id") X(BPF_CORE_TYPE_ID_TARGET, "target_type_id") \
	X(BPF_CORE_TYPE_EXISTS, "type_exists") X(BPF_CORE_TYPE_SIZE, "type_size") \
	X(BPF_CORE_ENUMVAL_EXISTS, "enumval_exists") X(BPF_CORE_ENUMVAL_VALUE, "enumval_value") \
	X(BPF_CORE_TYPE_MATCHES, "type_matches")

/* what XDP programs and tc programs return */
#define EBPF_XDP_ABORTED 0
#define EBPF_XDP_DROP 1
#define EBPF_XDP_PASS 2
#define EBPF_XDP_TX 3
#define EBPF_XDP_REDIRECT 4

/* IFLA_XDP_FLAGS and link_create.flags of an XDP link: the very text of <linux/if_link.h>, which may be included
 * beside this one */
#ifndef XDP_FLAGS_UPDATE_IF_NOEXIST
#define XDP_FLAGS_UPDATE_IF_NOEXIST	(1U << 0)
#define XDP_FLAGS_SKB_MODE		(1U << 1)
#define XDP_FLAGS_DRV_MODE		(1U << 2)
#define XDP_FLAGS_HW_MODE		(1U << 3)
#define XDP_FLAGS_REPLACE		(1U << 4)
#endif

#endif
