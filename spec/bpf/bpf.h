/* bpf.h -- what the BPF programs of the specs need, and no more: macros for sections, maps and externs, types, a few helpers.
 * Numbers come from the core's own table, so that no header of a distribution has a say in what the specs test. */
#ifndef EBPF_SPEC_BPF_H
#define EBPF_SPEC_BPF_H

#include "../../src/base/uapi_gen.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef _Bool bool;

#define SEC(name) __attribute__((section(name), used))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define WEAK __attribute__((weak))
#define HIDDEN __attribute__((visibility("hidden")))
#define KCONFIG __attribute__((section(".kconfig")))
#define KSYM __attribute__((section(".ksyms")))
#define CORE __attribute__((preserve_access_index))

/* members of a map's definition: numbers are lengths of arrays, types are what pointers point to */
#define UINT(name, value) int (*name)[value]
#define ULONG(name, value) enum { name##_value = value } name
#define TYPE(name, type) __typeof__(type) *name
#define ARRAY(name, type) __typeof__(type) *name[]

#define PIN_BY_NAME 1

enum libbpf_tristate { TRI_NO, TRI_YES, TRI_MODULE };

struct __sk_buff { u32 len; };
struct xdp_md { u32 data, data_end; };
struct pt_regs { u64 registers[21]; };

static void *(*const map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*const ktime_get_ns)(void) = (void *)5;
static u32 (*const get_smp_processor_id)(void) = (void *)8;
static long (*const tail_call)(void *context, void *programs, u32 index) = (void *)12;
static u64 (*const get_current_pid_tgid)(void) = (void *)14;
static long (*const perf_event_output)(void *context, void *map, u64 flags, void *data, u64 size) = (void *)25;
static long (*const probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*const ringbuf_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;
static long (*const for_each_map_elem)(void *map, void *callback, void *context, u64 flags) = (void *)164;
static u64 (*const get_attach_cookie)(void *context) = (void *)174;
static long (*const loop)(u32 count, void *callback, void *context, u64 flags) = (void *)181;

#endif
