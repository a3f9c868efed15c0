/* sink_record.h -- for the tests of sinks: a type of records with a field of each kind, and one record of it. */
#ifndef EBPF_SPEC_SINK_RECORD_H
#define EBPF_SPEC_SINK_RECORD_H

#include "btf_writer.h"
#include "sink/sink.h"

struct sink_record {
	uint32_t pid;
	int16_t delta;
	uint8_t kind;
	bool last;
	uint64_t bytes;
	char comm[8];
	uint32_t color;          /* enum color { RED = 1, BLUE = 7 } */
	uint32_t bits;           /* u32 low : 3; s32 high : 5 */
	float ratio;
	double big;
	uint32_t pair[2];
	struct { int32_t x, y; } point;
	uint8_t wide[16];        /* unsigned __int128 */
	char tail[];
};

/* NULL when there is no memory. `swapped`: of the other byte order. */
static inline struct ebpf_layout *sink_record_layout_of(bool swapped, struct ebpf_error *err)
{
	static struct writer w;
	bool big = (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) != swapped;

	w_start(&w, swapped, NULL, 0);
	uint32_t u32 = w_int(&w, "u32", 4, 0, 0, 32), s32 = w_int(&w, "int", 4, BTF_INT_SIGNED, 0, 32), s16 = w_int(&w, "short", 2, BTF_INT_SIGNED, 0, 16);
	uint32_t u8 = w_int(&w, "u8", 1, 0, 0, 8), boolean = w_int(&w, "bool", 1, BTF_INT_BOOL, 0, 8), u64 = w_int(&w, "u64", 8, 0, 0, 64);
	uint32_t chars = w_int(&w, "char", 1, BTF_INT_SIGNED, 0, 8), wide = w_int(&w, "unsigned __int128", 16, 0, 0, 128);
	uint32_t comm = w_array(&w, chars, u32, 8), tail = w_array(&w, chars, u32, 0), pair = w_array(&w, u32, u32, 2);
	uint32_t real = w_type(&w, "float", BTF_KIND_FLOAT, false, 0, 4), twice = w_type(&w, "double", BTF_KIND_FLOAT, false, 0, 8);
	uint32_t color = w_type(&w, "color", BTF_KIND_ENUM, false, 2, 4);

	w_pair(&w, "RED", 1);
	w_pair(&w, "BLUE", 7);
	uint32_t point = w_type(&w, "point", BTF_KIND_STRUCT, false, 2, 8);

	w_member(&w, "x", s32, 0);
	w_member(&w, "y", s32, 32);
	uint32_t id = w_type(&w, "record", BTF_KIND_STRUCT, true, 15, 80);

	w_member(&w, "pid", u32, 0);
	w_member(&w, "delta", s16, 32);
	w_member(&w, "kind", u8, 48);
	w_member(&w, "last", boolean, 56);
	w_member(&w, "bytes", u64, 64);
	w_member(&w, "comm", comm, 128);
	w_member(&w, "color", color, 192);
	w_member(&w, "low", u32, (224 + (big ? 29 : 0)) | 3 << 24);
	w_member(&w, "high", s32, (227 - (big ? 3 - 24 : 0)) | 5 << 24);
	w_member(&w, "ratio", real, 256);
	w_member(&w, "big", twice, 320);
	w_member(&w, "pair", pair, 384);
	w_member(&w, "point", point, 448);
	w_member(&w, "wide", wide, 512);
	w_member(&w, "tail", tail, 640);
	struct ebpf_btf *btf = w_read(&w, NULL, err);
	struct ebpf_layout *layout = btf ? ebpf_layout_from_btf(btf, id, err) : NULL;

	ebpf_btf_free(btf);
	return layout;
}

static inline struct ebpf_layout *sink_record_layout(struct ebpf_error *err)
{
	return sink_record_layout_of(false, err);
}

/* The same record in the other byte order. */
static inline struct sink_record sink_record_swapped(const struct sink_record *record)
{
	struct sink_record out = *record;

#define SWAP(member) ebpf_reverse(&out.member, &record->member, sizeof(out.member))
	SWAP(pid);
	SWAP(delta);
	SWAP(bytes);
	SWAP(color);
	SWAP(bits);
	SWAP(ratio);
	SWAP(big);
	SWAP(pair[0]);
	SWAP(pair[1]);
	SWAP(point.x);
	SWAP(point.y);
	SWAP(wide);
#undef SWAP
	return out;
}

static inline struct sink_record sink_record_one(void)
{
	struct sink_record record = {
		.pid = 10, .delta = -3, .kind = 200, .last = true, .bytes = UINT64_MAX - 1, .comm = "bash", .color = 7, .bits = 5 | 0x1e << 3,
		.ratio = 0.5F, .big = 0.1, .pair = { 7, 8 }, .point = { -1, 2 }, .wide = { 1, 2 },
	};

	return record;
}

#endif
