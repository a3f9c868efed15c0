/* send COUNT SIZE : sends so many UDP datagrams of so many bytes to a closed port of 127.0.0.1: traffic for specs, without tools. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	static char bytes[65000];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int count = argc > 1 ? atoi(argv[1]) : 1, size = argc > 2 ? atoi(argv[2]) : 100;

	if (size < 0 || (size_t)size > sizeof(bytes))
		return 2;
	for (int i = 0; i < count; i++) {
		/* A socket each: an ICMP error for the last datagram must not fail the next send. */
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || sendto(fd, bytes, (size_t)size, 0, (struct sockaddr *)&to, sizeof(to)) != size)
			return 1;
		(void)shutdown(fd, SHUT_RDWR);
	}
	return 0;
}
