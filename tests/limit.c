/* limit - the LIMIT room of ocirt.c, called by itself
 *
 *   limit v1|v2 RESOURCES   what a config with these resources (JSON) writes:
 *                           "CONTROLLER FILE=VALUE", with " or FILE=VALUE" and
 *                           " optional" behind; or the error, status 1
 *   limit weight SHARES...  cpu.weight for each
 */
#define main ocirt_main
#include "../ocirt.c"
#undef main

static void
print_writes(const char *version, const char *resources)
{
	struct limit_list list = { 0 };
	char *text = base_fmt("{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":"
			      "\"r\"},\"linux\":{\"resources\":%s}}",
	    resources);
	struct json j = { 0 };
	struct spec *s;
	size_t i;

	json_parse(&j, "config.json", text, strlen(text));
	s = spec_read(&j);
	for (i = 0; i < LEN(limit_knob); i++)
		if (limit_present(&limit_knob[i], s->linux_->resources))
			limit_row(&limit_knob[i], s, s->linux_->resources,
			    !strcmp(version, "v2"), &list);
	for (i = 0; i < list.n; i++) {
		printf("%s %s=%s", list.w[i].controller, list.w[i].file[0],
		    list.w[i].value[0]);
		if (list.w[i].file[1])
			printf(
			    " or %s=%s", list.w[i].file[1], list.w[i].value[1]);
		puts(list.w[i].optional ? " optional" : "");
	}
}

int
main(int argc, char **argv)
{
	int i;

	if (argc < 3)
		return 2;
	if (strcmp(argv[1], "weight"))
		print_writes(argv[1], argv[2]);
	for (i = 2; i < argc && !strcmp(argv[1], "weight"); i++)
		printf("%s=%u\n", argv[i],
		    limit_weight(strtoull(argv[i], NULL, 10)));
	return 0;
}
