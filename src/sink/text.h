/* text.h -- lines in the making, for write.c: numbers, names and strings as JSON and CSV. */
#ifndef EBPF_SINK_TEXT_H
#define EBPF_SINK_TEXT_H

#include "base/base.h"

/* Like ebpf_buffer_add, but without a call for the short pieces that lines consist of. Room is made for a whole piece before it is written. */
void ebpf_text_add(struct ebpf_buffer *out, const char *text, size_t size);
void ebpf_text_char(struct ebpf_buffer *out, char c);
void ebpf_text_int(struct ebpf_buffer *out, int64_t value, bool is_unsigned);
void ebpf_text_real(struct ebpf_buffer *out, double value);
/* "0x...", 16 bytes as one number (their order is the host's), or any bytes as they lie. */
void ebpf_text_int128(struct ebpf_buffer *out, const uint8_t *data);
void ebpf_text_hex(struct ebpf_buffer *out, const uint8_t *data, size_t size);
/* With quotes; what is no UTF-8 becomes U+FFFD, byte by byte. */
void ebpf_text_json(struct ebpf_buffer *out, const char *text, size_t size);
/* With quotes where RFC 4180 needs them. */
void ebpf_text_csv(struct ebpf_buffer *out, const char *text, size_t size);

#endif
