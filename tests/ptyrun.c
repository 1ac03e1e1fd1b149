/* ptyrun - run a command on a pseudoterminal, as a person at one would.
 *
 *   ptyrun [STEP...] -- COMMAND ARG...
 *     -e TEXT      wait until TEXT has been printed (since the last -e)
 *     -t TEXT      type TEXT; \n is the Enter key, \d is ^D, \c is ^C
 *     -w ROWSxCOLS the window's size; as the first step, before the command
 *     -s SIGNAL    send a signal, by number, to the command
 *
 * All that the terminal prints goes to stdout. The last line on stderr says
 * whether the terminal's settings are what they were: "termios: same". The
 * exit status is the command's (128 + signal), 124 when a step or the end
 * took more than 10 s.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LIMIT 10

static char seen[1 << 18];
static size_t nseen, from;
static int master, slave;
static pid_t child;

static void
die(const char *what)
{
	perror(what);
	if (child > 0)
		kill(child, SIGKILL);
	exit(99);
}

static time_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* What the terminal has printed, taken and passed on; waits at most 50 ms. */
static int
take(void)
{
	struct pollfd p = { .fd = master, .events = POLLIN };
	ssize_t n;

	if (nseen == sizeof seen || poll(&p, 1, 50) <= 0)
		return 0;
	n = read(master, seen + nseen, sizeof seen - nseen);
	if (n <= 0)
		return 0;
	if (write(1, seen + nseen, (size_t)n) != n)
		die("write");
	nseen += (size_t)n;
	return 1;
}

static void
too_long(const char *what)
{
	fprintf(stderr, "ptyrun: %s: not in %d s\n", what, LIMIT);
	kill(child, SIGKILL);
	exit(124);
}

static void
expect(const char *text)
{
	time_t end = now() + LIMIT;
	char *at;

	while (!(at = memmem(seen + from, nseen - from, text, strlen(text)))) {
		if (now() > end)
			too_long(text);
		take();
	}
	from = (size_t)(at - seen) + strlen(text);
}

static char
key(char c)
{
	switch (c) {
	case 'n':
		return '\r';
	case 'd':
		return 4;
	case 'c':
		return 3;
	}
	return c;
}

static void
type(const char *text)
{
	char c;

	for (; *text; text++) {
		c = *text;
		if (c == '\\' && text[1])
			c = key(*++text);
		if (write(master, &c, 1) != 1)
			die("type");
	}
}

static void
window(const char *size)
{
	struct winsize ws = { 0 };

	if (sscanf(size, "%hux%hu", &ws.ws_row, &ws.ws_col) != 2 ||
	    ioctl(master, TIOCSWINSZ, &ws) < 0)
		die("window size");
}

static void
start(char **argv)
{
	child = fork();
	if (child < 0)
		die("fork");
	if (child)
		return;
	if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
		die("controlling terminal");
	dup2(slave, 0);
	dup2(slave, 1);
	dup2(slave, 2);
	close(slave);
	close(master);
	execvp(argv[0], argv);
	die(argv[0]);
}

static void
step(char what, const char *arg)
{
	switch (what) {
	case 'e':
		expect(arg);
		break;
	case 't':
		type(arg);
		break;
	case 'w':
		window(arg);
		break;
	case 's':
		kill(child, atoi(arg));
		break;
	default:
		exit(99);
	}
}

/* The same in every field that tcsetattr sets. */
static int
same(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag &&
	       a->c_cflag == b->c_cflag && a->c_lflag == b->c_lflag &&
	       !memcmp(a->c_cc, b->c_cc, sizeof a->c_cc);
}

int
main(int argc, char **argv)
{
	struct termios before = { 0 }, after = { 0 };
	int i = 1, first, status = 0;
	time_t end;

	for (first = 1; first < argc && strcmp(argv[first], "--"); first++)
		;
	if (first + 1 >= argc)
		return 99;
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 ||
	    (slave = open(ptsname(master), O_RDWR | O_NOCTTY)) < 0)
		die("pseudoterminal");
	if (first > 2 && !strcmp(argv[1], "-w")) {
		window(argv[2]);
		i = 3;
	}
	if (tcgetattr(slave, &before) < 0)
		die("tcgetattr");
	start(argv + first + 1);
	for (; i + 1 < first; i += 2)
		step(argv[i][1], argv[i + 1]);
	end = now() + LIMIT;
	while (waitpid(child, &status, WNOHANG) == 0) {
		if (now() > end)
			too_long("end");
		take();
	}
	while (take())
		;
	if (tcgetattr(slave, &after) < 0)
		die("tcgetattr");
	fprintf(stderr, "termios: %s\n",
	    same(&before, &after) ? "same" : "changed");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
