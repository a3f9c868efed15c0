/* Variables of many types in all kinds of data sections, and who of them is seen from outside. */
#include "bpf.h"

struct point { s32 x, y; };
enum color { RED = 1, GREEN = 2 };

u8 data_u8 = 1;
s16 data_s16 = -2;
u32 data_u32 = 0x01020304;
s64 data_s64 = -5;
bool data_bool = 1;
char data_string[16] = "hello";
struct point data_point = { 3, -4 };
u32 data_array[3] = { 7, 8, 9 };
enum color data_color = GREEN;
WEAK u32 data_weak = 77;
HIDDEN u32 data_hidden = 88;
static volatile u32 data_static = 99;

const volatile u32 rodata_u32 = 1234;
const volatile char rodata_string[8] = "const";
static const volatile u64 rodata_static = 5;

u64 bss_u64;
struct point bss_points[4];
u8 bss_large[1 << 20];
static volatile u32 bss_static;

u32 custom_data SEC(".data.custom") = 11;
const volatile u32 custom_rodata SEC(".rodata.a_custom_name") = 22;
u32 custom_bss SEC(".bss.custom");
/* nothing in it is seen from outside */
static volatile u32 private_data SEC(".data.private") = 33;

SEC("socket") int uses_data(struct __sk_buff *skb)
{
	data_static++;
	bss_static += data_hidden;
	private_data++;
	data_array[skb->len & 1] = rodata_u32 + (u32)rodata_static;
	bss_points[1].y = data_point.y + custom_rodata + rodata_string[2];
	bss_u64 += data_weak + data_u8 + (u64)data_s64;
	custom_bss = custom_data + bss_large[5] + data_string[1] + data_bool + data_color + (u32)data_s16 + data_u32;
	return (int)data_static;
}
