/* ok.h -- for tests with a `struct ebpf_error err` of their own: a call that must not fail, and says why when it does. */
#ifndef EBPF_SPEC_OK_H
#define EBPF_SPEC_OK_H

#include "test.h"

#define OK(call) \
	do { \
		long long ok_ = (long long)(call); \
		if (ok_ < 0) { \
			test_failures++; \
			fprintf(stderr, "not ok: %s:%d: %s: %lld %s (%s)\n", __FILE__, __LINE__, #call, ok_, err.message, err.hint); \
			ebpf_error_clear(&err); \
		} \
	} while (0)

#endif
