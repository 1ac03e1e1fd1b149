/* planon - the plan of a bundle on a host that we describe
 *
 *   planon selinux BUNDLE   as on a host with SELinux
 */
#define main ocirt_main
#include "../ocirt.c"
#undef main

int
main(int argc, char **argv)
{
	struct host host = { 0 };
	struct json j = { 0 };
	struct text t;
	char *text;
	size_t len;

	if (argc != 3 || strcmp(argv[1], "selinux"))
		return 2;
	host.selinux = true;
	text =
	    sys_read_file(AT_FDCWD, base_fmt("%s/config.json", argv[2]), &len);
	if (!text)
		err_die("read the config:");
	json_parse(&j, "config.json", text, len);
	t = plan_print(plan_make(spec_read(&j), &host, "id", argv[2]), false);
	sys_write_all(1, t.p, t.n);
	return 0;
}
