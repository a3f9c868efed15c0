/* test.h -- the smallest thing a C test of the core needs. A test is a program: 0 = passed, 77 = skipped (reason on stdout), else failed. */
#ifndef EBPF_SPEC_TEST_H
#define EBPF_SPEC_TEST_H

#include <stdio.h>
#include <string.h>

__attribute__((unused)) static int test_failures;

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			test_failures++; \
			fprintf(stderr, "not ok: %s:%d: %s\n", __FILE__, __LINE__, #condition); \
		} \
	} while (0)
#define CHECK_INT(actual, expected) \
	do { \
		long long a_ = (long long)(actual), e_ = (long long)(expected); \
		if (a_ != e_) { \
			test_failures++; \
			fprintf(stderr, "not ok: %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #actual, a_, e_); \
		} \
	} while (0)
#define CHECK_STR(actual, expected) \
	do { \
		const char *a_ = (actual), *e_ = (expected); \
		if (!a_ || strcmp(a_, e_)) { \
			test_failures++; \
			fprintf(stderr, "not ok: %s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #actual, a_ ? a_ : "(null)", e_); \
		} \
	} while (0)
#define TEST_RESULT() (test_failures ? 1 : 0)
#define TEST_SKIP(reason) return printf("skip: %s\n", reason), 77

#endif
