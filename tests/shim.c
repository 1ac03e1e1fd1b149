/* shim - stand where conmon or containerd's shim stands.
 *
 *   shim PIDFILE COMMAND ARG...
 *
 * Becomes a subreaper, ignores SIGPIPE, leaves a socket open at descriptor 3
 * that is not close-on-exec, and runs COMMAND, a create or a detached exec.
 * When that has ended it says what it had, and then how the process of the
 * pid file ends, which must be its child by then:
 *
 *   rc 0
 *   child 123
 *   status 7
 *
 * Killed by SIGALRM after 20 s.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int
code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

/* Digits and nothing else, as Go's strconv.Atoi wants it. */
static pid_t
pid_of(const char *file)
{
	char buf[32], *end;
	int fd = open(file, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);
	long pid;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -1;
	buf[n] = 0;
	pid = strtol(buf, &end, 10);
	return *end ? -1 : (pid_t)pid;
}

int
main(int argc, char **argv)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0), status;
	siginfo_t si;
	pid_t pid;

	if (argc < 3)
		return 2;
	alarm(20);
	setvbuf(stdout, NULL, _IONBF, 0);
	if (s < 0 || (s != 3 && dup2(s, 3) < 0) ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 2;
	printf("rc %d\n", code(status));
	if (code(status))
		return 0;
	pid = pid_of(argv[1]);
	if (pid <= 0 ||
	    waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0) {
		printf("no child\n");
		return 1;
	}
	printf("child %d\n", (int)pid);
	while (waitpid(pid, &status, 0) != pid && errno == EINTR)
		;
	printf("status %d\n", code(status));
	return 0;
}
