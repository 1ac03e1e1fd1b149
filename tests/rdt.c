/* rdt - the RDT room of ocirt.c on a directory that stands for resctrl.
 *
 *   rdt create DIR ID CONFIG PID   make the group of config.json's intelRdt,
 *                                  put PID into it; say what delete removes
 *   rdt fail DIR ID CONFIG         the same, and then something fails
 *   rdt delete DIR GROUP...        remove these groups
 *
 * What the kernel does is done here: a new group has its files, and goes with
 * them. A directory called "full" in DIR: there are no groups left.
 */
#define mkdirat rdt_mkdirat
#define unlinkat rdt_unlinkat
#define main ocirt_main
#include "../ocirt.c"
#undef main

int
rdt_mkdirat(int dir, const char *path, mode_t mode)
{
	static const char *const files[] = { "tasks", "schemata" };
	size_t i;
	int fd;

	if (faccessat(dir, "full", F_OK, 0) == 0) {
		errno = ENOSPC;
		return -1;
	}
	if (syscall(SYS_mkdirat, dir, path, mode) < 0)
		return -1;
	for (i = 0; i < LEN(files); i++) {
		fd = openat(dir, base_fmt("%s/%s", path, files[i]),
		    O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (fd >= 0)
			close(fd);
	}
	if (!strstr(path, "mon_groups"))
		syscall(
		    SYS_mkdirat, dir, base_fmt("%s/mon_groups", path), 0755);
	return 0;
}

int
rdt_unlinkat(int dir, const char *path, int flags)
{
	if (flags & AT_REMOVEDIR) {
		syscall(SYS_unlinkat, dir, base_fmt("%s/tasks", path), 0);
		syscall(SYS_unlinkat, dir, base_fmt("%s/schemata", path), 0);
		syscall(SYS_unlinkat, dir, base_fmt("%s/mon_groups", path),
		    AT_REMOVEDIR);
	}
	return (int)syscall(SYS_unlinkat, dir, path, flags);
}

static struct rdt rdt_test;

int
main(int argc, char **argv)
{
	struct rdt *r = &rdt_test;
	struct json j = { 0 };
	struct spec *s;
	size_t len;
	char *text;
	int fd;

	if (argc < 3 || (fd = rdt_open(argv[2])) < 0)
		return 2;
	if (!strcmp(argv[1], "delete")) {
		rdt_remove(fd, argv + 3);
		return 0;
	}
	if (argc < 5 || !(text = sys_read_file(AT_FDCWD, argv[4], &len)))
		return 2;
	json_parse(&j, "config.json", text, len);
	s = spec_read(&j);
	rdt_plan(r, fd, s->linux_->rdt, argv[3]);
	rdt_make(r);
	if (!strcmp(argv[1], "fail") || argc < 6)
		err_die("something else failed");
	rdt_enter(fd, r->join, (pid_t)strtol(argv[5], NULL, 10));
	for (len = 0; r->made[len]; len++)
		printf("%s ", r->made[len]);
	puts("");
	return 0;
}
