#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

/* as the analyzer sees them elsewhere */
#undef ebpf_fail
#undef ebpf_fail_errno
#undef ebpf_fail_memory
#undef ebpf_wrap

/* Formats into err->message. The arguments may point into *err itself ("%s", err->message), hence the detour. */
static void set_message(struct ebpf_error *err, const char *suffix, const char *format, va_list arguments)
{
	char text[sizeof(err->message)];
	int length = vsnprintf(text, sizeof(text), format, arguments);

	if (length < 0)
		length = 0;
	if (suffix && (size_t)length < sizeof(text) - 1)
		snprintf(text + length, sizeof(text) - length, ": %s", suffix);
	memcpy(err->message, text, sizeof(text));
	err->message[sizeof(err->message) - 1] = '\0';
}

static int positive(int code)
{
	if (code == 0)
		return EIO; /* a failure without a reason must not look like success */
	return code < 0 ? -code : code;
}

static void start(struct ebpf_error *err, int code, const char *suffix, const char *format, va_list arguments)
{
	char *log = err->log;

	set_message(err, suffix, format, arguments);
	err->code = code;
	err->hint[0] = '\0';
	err->log = NULL;
	free(log);
}

int ebpf_fail(struct ebpf_error *err, int code, const char *format, ...)
{
	va_list arguments;

	code = positive(code);
	if (err) {
		va_start(arguments, format);
		start(err, code, NULL, format, arguments);
		va_end(arguments);
	}
	return -code;
}

/* "permission denied": as within a sentence, since it always follows a colon. */
static void errno_text(int code, char *text, size_t size)
{
	char space[128];
	const char *found = strerror_r(code, space, sizeof(space));

	if (code == 524) /* ENOTSUPP leaks out of the kernel; libc does not know it */
		found = "operation not supported";
	snprintf(text, size, "%s", found);
	if (text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
		text[0] += 'a' - 'A';
}

int ebpf_fail_errno(struct ebpf_error *err, int code, const char *format, ...)
{
	va_list arguments;
	char text[128];

	code = positive(code);
	if (err) {
		errno_text(code, text, sizeof(text));
		va_start(arguments, format);
		start(err, code, text, format, arguments);
		va_end(arguments);
	}
	return -code;
}

int ebpf_fail_memory(struct ebpf_error *err)
{
	return ebpf_fail(err, ENOMEM, "out of memory");
}

void ebpf_hint(struct ebpf_error *err, const char *format, ...)
{
	va_list arguments;

	if (!err)
		return;
	va_start(arguments, format);
	vsnprintf(err->hint, sizeof(err->hint), format, arguments);
	va_end(arguments);
}

int ebpf_wrap(struct ebpf_error *err, int code, const char *format, ...)
{
	char inner[sizeof(err->message)];
	va_list arguments;

	code = positive(code);
	if (!err)
		return -code;
	memcpy(inner, err->message, sizeof(inner));
	inner[sizeof(inner) - 1] = '\0';
	va_start(arguments, format);
	set_message(err, inner, format, arguments);
	va_end(arguments);
	err->code = code;
	return -code;
}

void ebpf_error_clear(struct ebpf_error *err)
{
	if (!err)
		return;
	free(err->log);
	memset(err, 0, sizeof(*err));
}

void ebpf_error_move(struct ebpf_error *to, struct ebpf_error *from)
{
	if (!from || from == to)
		return;
	if (!to) {
		ebpf_error_clear(from);
		return;
	}
	free(to->log);
	*to = *from;
	memset(from, 0, sizeof(*from));
}

void ebpf_error_set_log(struct ebpf_error *err, char *log)
{
	if (!err) {
		free(log);
		return;
	}
	if (err->log != log)
		free(err->log);
	err->log = log;
}
