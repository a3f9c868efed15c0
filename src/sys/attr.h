/* attr.h -- what bpf(2) takes and gives: union bpf_attr and the info structs, with the kernel's own member names.
 *
 * The layout is the kernel's interface and never changes but by growing at the end; facts are those of
 * include/uapi/linux/bpf.h of Linux 7.0. Zero the whole union before use: a kernel that is older than a member
 * answers E2BIG only where its bytes are not zero, and one that is newer takes what is missing as zero. Addresses go
 * into 64-bit members through ebpf_ptr().
 */
#ifndef EBPF_SYS_ATTR_H
#define EBPF_SYS_ATTR_H

#include <stddef.h>
#include <stdint.h>

#include "base/uapi.h"

/* A 64-bit member lies on 8 bytes also where the ABI would put it on 4 (i386). */
typedef uint64_t ebpf_u64 __attribute__((aligned(8)));

static inline uint64_t ebpf_ptr(const void *address)
{
	return (uint64_t)(uintptr_t)address;
}

union bpf_attr {
	struct { /* BPF_MAP_CREATE */
		uint32_t map_type, key_size, value_size, max_entries, map_flags;
		uint32_t inner_map_fd;             /* 4.12 */
		uint32_t numa_node;                /* 4.14, with BPF_F_NUMA_NODE */
		char map_name[BPF_OBJ_NAME_LEN];   /* 4.15 */
		uint32_t map_ifindex;              /* 4.16 */
		uint32_t btf_fd, btf_key_type_id, btf_value_type_id; /* 4.18 */
		uint32_t btf_vmlinux_value_type_id;/* 5.6, struct_ops */
		ebpf_u64 map_extra;                /* 5.16: bloom filter hashes, arena address */
		int32_t value_type_btf_obj_fd;     /* 6.9, with BPF_F_VTYPE_BTF_OBJ_FD */
		int32_t map_token_fd;              /* 6.9, with BPF_F_TOKEN_FD */
		ebpf_u64 excl_prog_hash;           /* 6.18: SHA-256 of the only program that may use the map */
		uint32_t excl_prog_hash_size;
	};
	struct { /* BPF_MAP_*_ELEM, BPF_MAP_GET_NEXT_KEY, BPF_MAP_FREEZE */
		uint32_t map_fd;
		ebpf_u64 key;
		union {
			ebpf_u64 value;
			ebpf_u64 next_key;
		};
		ebpf_u64 flags;
	};
	struct { /* BPF_MAP_*_BATCH, 5.6 */
		ebpf_u64 in_batch;                 /* where to go on: NULL = at the start */
		ebpf_u64 out_batch;                /* out: where the next batch starts */
		ebpf_u64 keys, values;
		uint32_t count;                    /* in: room for, out: number of elements */
		uint32_t map_fd;
		ebpf_u64 elem_flags, flags;
	} batch;
	struct { /* BPF_PROG_LOAD */
		uint32_t prog_type, insn_cnt;
		ebpf_u64 insns, license;
		uint32_t log_level, log_size;
		ebpf_u64 log_buf;
		uint32_t kern_version;             /* of kprobes: must be right before 5.0 */
		uint32_t prog_flags;
		char prog_name[BPF_OBJ_NAME_LEN];  /* 4.15 */
		uint32_t prog_ifindex;             /* 4.15 */
		uint32_t expected_attach_type;     /* 4.17 */
		uint32_t prog_btf_fd;              /* 5.0 */
		uint32_t func_info_rec_size;
		ebpf_u64 func_info;
		uint32_t func_info_cnt;
		uint32_t line_info_rec_size;
		ebpf_u64 line_info;
		uint32_t line_info_cnt;
		uint32_t attach_btf_id;            /* 5.5 */
		union {
			uint32_t attach_prog_fd;   /* 5.5: a BPF program */
			uint32_t attach_btf_obj_fd;/* 5.11: a module's BTF, 0 = vmlinux */
		};
		uint32_t core_relo_cnt;            /* 5.17 */
		ebpf_u64 fd_array;                 /* 5.14 */
		ebpf_u64 core_relos;               /* 5.17 */
		uint32_t core_relo_rec_size;
		uint32_t log_true_size;            /* 6.4, out: what the whole log needs, NUL included */
		int32_t prog_token_fd;             /* 6.9, with BPF_F_TOKEN_FD */
		uint32_t fd_array_cnt;             /* 6.14: fd_array is that long, and all of its maps are bound */
		ebpf_u64 signature;                /* 6.18 */
		uint32_t signature_size;
		int32_t keyring_id;
	};
	struct { /* BPF_OBJ_PIN, BPF_OBJ_GET */
		ebpf_u64 pathname;
		uint32_t bpf_fd;
		uint32_t file_flags;               /* 4.15 */
		int32_t path_fd;                   /* 6.5, with BPF_F_PATH_FD */
	};
	struct { /* BPF_PROG_ATTACH, BPF_PROG_DETACH */
		union {
			uint32_t target_fd, target_ifindex;
		};
		uint32_t attach_bpf_fd, attach_type, attach_flags;
		uint32_t replace_bpf_fd;           /* 5.6, with BPF_F_REPLACE */
		union {
			uint32_t relative_fd, relative_id; /* 6.6 */
		};
		ebpf_u64 expected_revision;
	};
	struct { /* BPF_PROG_RUN */
		uint32_t prog_fd;
		uint32_t retval;                   /* out */
		uint32_t data_size_in;
		uint32_t data_size_out;            /* in: room, out: size; ENOSPC when it does not fit */
		ebpf_u64 data_in, data_out;
		uint32_t repeat;
		uint32_t duration;                 /* out: mean ns of one run */
		uint32_t ctx_size_in, ctx_size_out;/* 5.1 */
		ebpf_u64 ctx_in, ctx_out;
		uint32_t flags, cpu;               /* 5.10 */
		uint32_t batch_size;               /* 5.18 */
	} test;
	struct { /* BPF_*_GET_NEXT_ID, BPF_*_GET_FD_BY_ID */
		union {
			uint32_t start_id, prog_id, map_id, btf_id, link_id;
		};
		uint32_t next_id;                  /* out */
		uint32_t open_flags;
		int32_t fd_by_id_token_fd;         /* 6.17 */
	};
	struct { /* BPF_OBJ_GET_INFO_BY_FD */
		uint32_t bpf_fd;
		uint32_t info_len;                 /* in: room, out: what the kernel filled */
		ebpf_u64 info;
	} info;
	struct { /* BPF_PROG_QUERY */
		union {
			uint32_t target_fd, target_ifindex;
		};
		uint32_t attach_type, query_flags, attach_flags;
		ebpf_u64 prog_ids;
		union {
			uint32_t prog_cnt, count;
		};
		uint32_t : 32;
		ebpf_u64 prog_attach_flags;        /* 6.1 */
		ebpf_u64 link_ids, link_attach_flags; /* 6.6 */
		ebpf_u64 revision;
	} query;
	struct { /* BPF_RAW_TRACEPOINT_OPEN */
		ebpf_u64 name;
		uint32_t prog_fd;
		uint32_t : 32;
		ebpf_u64 cookie;                   /* 6.10 */
	} raw_tracepoint;
	struct { /* BPF_BTF_LOAD */
		ebpf_u64 btf, btf_log_buf;
		uint32_t btf_size, btf_log_size, btf_log_level;
		uint32_t btf_log_true_size;        /* 6.4, out */
		uint32_t btf_flags;                /* 6.9 */
		int32_t btf_token_fd;
	};
	struct { /* BPF_TASK_FD_QUERY, 4.18 */
		uint32_t pid, fd, flags;
		uint32_t buf_len;                  /* in: room, out: length */
		ebpf_u64 buf;                      /* out: tracepoint, symbol or path */
		uint32_t prog_id, fd_type;         /* out */
		ebpf_u64 probe_offset, probe_addr; /* out */
	} task_fd_query;
	struct { /* BPF_LINK_CREATE, 5.7 */
		union {
			uint32_t prog_fd;
			uint32_t map_fd;           /* 6.4, struct_ops */
		};
		union {
			uint32_t target_fd, target_ifindex;
		};
		uint32_t attach_type, flags;
		union {
			uint32_t target_btf_id;    /* 5.15, freplace */
			struct {                   /* 5.9 */
				ebpf_u64 iter_info;/* union bpf_iter_link_info */
				uint32_t iter_info_len;
			};
			struct {                   /* 5.15 */
				ebpf_u64 bpf_cookie;
			} perf_event;
			struct {                   /* 5.18 */
				uint32_t flags, cnt;
				ebpf_u64 syms, addrs, cookies;
			} kprobe_multi;
			struct {                   /* 5.19 */
				uint32_t target_btf_id;
				ebpf_u64 cookie;
			} tracing;
			struct {                   /* 6.4 */
				uint32_t pf, hooknum;
				int32_t priority;
				uint32_t flags;
			} netfilter;
			struct {                   /* 6.6 */
				union {
					uint32_t relative_fd, relative_id;
				};
				ebpf_u64 expected_revision;
			} tcx;
			struct {                   /* 6.6 */
				ebpf_u64 path, offsets, ref_ctr_offsets, cookies;
				uint32_t cnt, flags, pid;
				uint32_t path_fd;
			} uprobe_multi;
			struct {                   /* 6.7 */
				union {
					uint32_t relative_fd, relative_id;
				};
				ebpf_u64 expected_revision;
			} netkit;
			struct {                   /* 6.17 */
				union {
					uint32_t relative_fd, relative_id;
				};
				ebpf_u64 expected_revision;
			} cgroup;
			struct {
				ebpf_u64 ids, cookies;
				uint32_t cnt;
			} tracing_multi;
		};
	} link_create;
	struct { /* BPF_LINK_UPDATE, 5.7 */
		uint32_t link_fd;
		union {
			uint32_t new_prog_fd, new_map_fd;
		};
		uint32_t flags;
		union {                            /* with BPF_F_REPLACE */
			uint32_t old_prog_fd, old_map_fd;
		};
	} link_update;
	struct { /* BPF_LINK_DETACH, 5.9 */
		uint32_t link_fd;
	} link_detach;
	struct { /* BPF_ENABLE_STATS, 5.8 */
		uint32_t type;
	} enable_stats;
	struct { /* BPF_ITER_CREATE, 5.8 */
		uint32_t link_fd, flags;
	} iter_create;
	struct { /* BPF_PROG_BIND_MAP, 5.10 */
		uint32_t prog_fd, map_fd, flags;
	} prog_bind_map;
	struct { /* BPF_TOKEN_CREATE, 6.9 */
		uint32_t flags, bpffs_fd;
	} token_create;
	struct { /* BPF_PROG_STREAM_READ_BY_FD, 6.17 */
		ebpf_u64 stream_buf;
		uint32_t stream_buf_len, stream_id, prog_fd;
	} prog_stream_read;
	struct { /* BPF_PROG_ASSOC_STRUCT_OPS */
		uint32_t map_fd, prog_fd, flags;
	} prog_assoc_struct_ops;
} __attribute__((aligned(8)));

/* link_create.iter_info */
union bpf_iter_link_info {
	struct {
		uint32_t map_fd;
	} map;
	struct {                                   /* 6.1 */
		uint32_t order;                    /* enum bpf_cgroup_iter_order */
		uint32_t cgroup_fd;
		ebpf_u64 cgroup_id;
	} cgroup;
	struct {                                   /* 6.1 */
		uint32_t tid, pid, pid_fd;
	} task;
};

struct bpf_prog_info {
	uint32_t type, id;
	uint8_t tag[BPF_TAG_SIZE];
	uint32_t jited_prog_len, xlated_prog_len;
	ebpf_u64 jited_prog_insns, xlated_prog_insns;
	ebpf_u64 load_time;                        /* 4.15: ns since boot */
	uint32_t created_by_uid, nr_map_ids;
	ebpf_u64 map_ids;
	char name[BPF_OBJ_NAME_LEN];
	uint32_t ifindex;
	uint32_t gpl_compatible : 1, : 31;
	ebpf_u64 netns_dev, netns_ino;
	uint32_t nr_jited_ksyms, nr_jited_func_lens;
	ebpf_u64 jited_ksyms, jited_func_lens;
	uint32_t btf_id, func_info_rec_size;       /* 5.0 */
	ebpf_u64 func_info;
	uint32_t nr_func_info, nr_line_info;
	ebpf_u64 line_info, jited_line_info;
	uint32_t nr_jited_line_info, line_info_rec_size, jited_line_info_rec_size, nr_prog_tags;
	ebpf_u64 prog_tags;
	ebpf_u64 run_time_ns, run_cnt;             /* 5.1 */
	ebpf_u64 recursion_misses;                 /* 5.12 */
	uint32_t verified_insns;                   /* 5.16 */
	uint32_t attach_btf_obj_id, attach_btf_id; /* 5.17 */
	uint32_t : 32;
} __attribute__((aligned(8)));

struct bpf_map_info {
	uint32_t type, id, key_size, value_size, max_entries, map_flags;
	char name[BPF_OBJ_NAME_LEN];
	uint32_t ifindex, btf_vmlinux_value_type_id;
	ebpf_u64 netns_dev, netns_ino;
	uint32_t btf_id, btf_key_type_id, btf_value_type_id, btf_vmlinux_id;
	ebpf_u64 map_extra;
	ebpf_u64 hash;                             /* 6.18 */
	uint32_t hash_size;
	uint32_t : 32;
} __attribute__((aligned(8)));

struct bpf_btf_info {
	ebpf_u64 btf;
	uint32_t btf_size, id;
	ebpf_u64 name;                             /* 5.11 */
	uint32_t name_len;                         /* in: room, out: length without the NUL */
	uint32_t kernel_btf;
} __attribute__((aligned(8)));

struct bpf_token_info {
	ebpf_u64 allowed_cmds, allowed_maps, allowed_progs, allowed_attachs;
} __attribute__((aligned(8)));

struct bpf_link_info {
	uint32_t type, id, prog_id;
	union {
		struct {
			ebpf_u64 tp_name;          /* in: buffer */
			uint32_t tp_name_len;      /* in: its size, out: length */
			uint32_t : 32;
			ebpf_u64 cookie;
		} raw_tracepoint;
		struct {
			uint32_t attach_type;
			uint32_t target_obj_id;    /* program of freplace, else BTF object */
			uint32_t target_btf_id;
			uint32_t : 32;
			ebpf_u64 cookie;
		} tracing;
		struct {
			ebpf_u64 cgroup_id;
			uint32_t attach_type;
		} cgroup;
		struct {
			ebpf_u64 target_name;
			uint32_t target_name_len;
			union {
				struct {
					uint32_t map_id;
				} map;
			};
			union {
				struct {
					ebpf_u64 cgroup_id;
					uint32_t order;
				} cgroup;
				struct {
					uint32_t tid, pid;
				} task;
			};
		} iter;
		struct {
			uint32_t netns_ino, attach_type;
		} netns;
		struct {
			uint32_t ifindex;
		} xdp;
		struct {
			uint32_t map_id;
		} struct_ops;
		struct {
			uint32_t pf, hooknum;
			int32_t priority;
			uint32_t flags;
		} netfilter;
		struct {
			ebpf_u64 addrs;
			uint32_t count, flags;
			ebpf_u64 missed, cookies;
		} kprobe_multi;
		struct {
			ebpf_u64 path, offsets, ref_ctr_offsets, cookies;
			uint32_t path_size, count, flags, pid;
		} uprobe_multi;
		struct {
			uint32_t attach_type, count, btf_obj_id;
			uint32_t : 32;
			ebpf_u64 ids, addrs, cookies;
		} tracing_multi;
		struct {
			uint32_t type;             /* enum bpf_perf_event_type */
			uint32_t : 32;
			union {
				struct {
					ebpf_u64 file_name;
					uint32_t name_len, offset;
					ebpf_u64 cookie, ref_ctr_offset;
				} uprobe;
				struct {
					ebpf_u64 func_name;
					uint32_t name_len, offset;
					ebpf_u64 addr, missed, cookie;
				} kprobe;
				struct {
					ebpf_u64 tp_name;
					uint32_t name_len;
					uint32_t : 32;
					ebpf_u64 cookie;
				} tracepoint;
				struct {
					ebpf_u64 config;
					uint32_t type;
					uint32_t : 32;
					ebpf_u64 cookie;
				} event;
			};
		} perf_event;
		struct {
			uint32_t ifindex, attach_type;
		} tcx, netkit;
		struct {
			uint32_t map_id, attach_type;
		} sockmap;
	};
} __attribute__((aligned(8)));

/* What goes beside the attributes of any command, 7.2. */
struct bpf_common_attr {
	ebpf_u64 log_buf;
	uint32_t log_size, log_level;
	uint32_t log_true_size;                    /* out */
	uint32_t : 32;
};

/* Records of func_info, line_info and core_relos. */
struct bpf_func_info {
	uint32_t insn_off, type_id;
};
struct bpf_line_info {
	uint32_t insn_off, file_name_off, line_off, line_col;
};
struct bpf_core_relo {
	uint32_t insn_off, type_id, access_str_off;
	uint32_t kind; /* enum bpf_core_relo_kind */
};

/* Where the member ends: the size to give to a bpf(2) that must not see more. */
#define EBPF_ATTR_SIZE(member) (offsetof(union bpf_attr, member) + sizeof(((union bpf_attr *)NULL)->member))

#endif
