/* notify - both ends of sd_notify(3).
 *
 *   notify listen SOCKET [SECONDS]
 *     listens like a service manager and says what each datagram was: its
 *     lines with ';' between them, whether a descriptor came with it, and the
 *     pid that the kernel vouches for. A descriptor is closed at once, as the
 *     barrier wants it. SOCKET "@NAME" is abstract. Ends by SIGALRM after
 *     SECONDS, 10 unless given.
 *   notify send TEXT...
 *     sends each TEXT to $NOTIFY_SOCKET
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un addr = { .sun_family = AF_UNIX };
static socklen_t len;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
address(const char *to)
{
	size_t n = to ? strlen(to) : 0;

	if (!n || n >= sizeof addr.sun_path) {
		fprintf(stderr, "no socket: %s\n", to ? to : "");
		exit(2);
	}
	memcpy(addr.sun_path, to, n);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (*to == '@')
		addr.sun_path[0] = 0;
	else
		len++;
}

static void
show(int s)
{
	char buf[4096],
	    control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	struct iovec v = { buf, sizeof buf - 1 };
	struct msghdr m = { .msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control };
	struct cmsghdr *c;
	struct ucred who = { 0 };
	ssize_t n = recvmsg(s, &m, MSG_CMSG_CLOEXEC), i;
	int fd = -1;

	if (n < 0)
		die("recvmsg");
	for (i = 0; i < n; i++)
		if (buf[i] == '\n')
			buf[i] = ';';
	buf[n] = 0;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(c), sizeof fd);
		if (c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&who, CMSG_DATA(c), sizeof who);
	}
	printf("%s%s from %d\n", buf, fd < 0 ? "" : " +fd", (int)who.pid);
	if (fd >= 0)
		close(fd);
}

int
main(int argc, char **argv)
{
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1, i;

	if (s < 0 || argc < 3)
		return 2;
	if (!strcmp(argv[1], "send")) {
		address(getenv("NOTIFY_SOCKET"));
		for (i = 2; i < argc; i++)
			if (sendto(s, argv[i], strlen(argv[i]), 0,
				(struct sockaddr *)&addr, len) < 0)
				die("send");
		return 0;
	}
	alarm(argc > 3 ? (unsigned)atoi(argv[3]) : 10);
	setvbuf(stdout, NULL, _IONBF, 0);
	address(argv[2]);
	if (setsockopt(s, SOL_SOCKET, SO_PASSCRED, &one, sizeof one) < 0 ||
	    bind(s, (struct sockaddr *)&addr, len) < 0)
		die("bind");
	for (;;)
		show(s);
}
