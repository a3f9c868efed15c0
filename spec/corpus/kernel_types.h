/* kernel_types.h -- names that the kernel's own headers would give to its older samples (NAME_kern.c). */
#include <errno.h>
#include <linux/types.h>
#include <sys/socket.h>

typedef __u8 u8;
typedef __s8 s8;
typedef __u16 u16;
typedef __s16 s16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
typedef __u32 uint32_t;
typedef _Bool bool;
enum { false, true };
enum { TASK_COMM_LEN = 16, SOL_IP = 0, SOL_TCP = 6, SOL_IPV6 = 41 };
#define __force
#define __packed __attribute__((packed))
