/* json - the JSON room of ocirt.c, called by itself
 *
 *   json validate FILE...  any JSON value: "accept FILE" or
 *                          "refuse FILE: message" for each
 *   json config FILE...    the same, read as a config.json
 *   json time KIND...      "KIND bytes N accept|refuse us T": the best of 3
 *
 * KIND: arrays, objects, mixed (nested 64 deep, again and again), deep (nested
 * without end), siblings (flat numbers), strings (flat, all escapes), keys (one
 * object of 20000 names), same-start (names that differ at their end only); and
 * read as a config: env, groups, annotations, mounts, masks (one long list).
 * The first line is "limit us L": 100 ms, and more where the machine is slow.
 */
#define main ocirt_main
#include "../ocirt.c"
#undef main

#define HOSTILE_SIZE ((size_t)300 << 10)

struct input {
	const char *name;
	char *text;
	size_t len;
};

static void
try_validate(void *arg)
{
	struct input *in = arg;
	struct json j;

	json_parse(&j, in->name, in->text, in->len);
}

static void
try_config(void *arg)
{
	struct input *in = arg;
	struct json j;

	json_parse(&j, in->name, in->text, in->len);
	json_expect(&j, 0, JSMN_OBJECT, "an object");
	leg_translate(&j, NULL, stat);
	spec_read(&j);
}

/* One line, whatever the message quotes. */
static void
put_message(const char *s)
{
	for (; *s; s++)
		putchar((unsigned char)*s < 0x20 || *s == 127 ? '?' : *s);
}

static int
read_one(void (*try)(void *), const char *name, const char *path)
{
	struct input in = { .name = name };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		in.text = sys_read_fd(fd, 64 << 20, &in.len);
	if (fd < 0 || !in.text) {
		perror(path);
		return 2;
	}
	close(fd);
	if (err_try(try, &in)) {
		printf("accept %s\n", path);
	} else {
		printf("refuse %s: ", path);
		put_message(err.trapped);
		putchar('\n');
	}
	return 0;
}

/* ---- hostile input ---- */

/* open and close, 64 deep each (counting the outer array), until full. */
static void
nest(struct text *t, const char *open, const char *close)
{
	int i;

	base_puts(t, "[0");
	while (t->n < HOSTILE_SIZE) {
		base_puts(t, ",");
		for (i = 0; i < 63; i++)
			base_puts(t, open);
		base_puts(t, "0");
		for (i = 0; i < 63; i++)
			base_puts(t, close);
	}
	base_puts(t, "]");
}

static void
mixed(struct text *t)
{
	int i;

	base_puts(t, "[0");
	while (t->n < HOSTILE_SIZE) {
		base_puts(t, ",");
		for (i = 0; i < 62; i++)
			base_puts(t, i % 2 ? "[" : "{\"\":");
		base_puts(t, "{}");
		while (i-- > 0)
			base_puts(t, i % 2 ? "]" : "}");
	}
	base_puts(t, "]");
}

/* again NULL: another member each time. */
static void
repeat(struct text *t, const char *first, const char *again, const char *last)
{
	int i;

	base_puts(t, first);
	for (i = 0; t->n < HOSTILE_SIZE; i++) {
		if (again)
			base_puts(t, again);
		else
			base_putf(t, ",\"%d\":\"\"", i);
	}
	base_puts(t, last);
}

static void
keys(struct text *t, const char *start)
{
	int i;

	base_puts(t, "{");
	for (i = 0; i < 20000; i++)
		base_putf(t, "%s\"%s%d\":%d", i ? "," : "", start, i, i);
	base_puts(t, "}");
}

/* A config with one long list in it. */
static void
config(struct text *t, const char *before, const char *again, const char *after)
{
	base_puts(t, "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},");
	repeat(t, before, again, after);
	base_puts(t, "}");
}

static bool
hostile_config(struct text *t, const char *kind)
{
	if (!strcmp(kind, "env"))
		config(t,
		    "\"process\":{\"cwd\":\"/"
		    "\",\"args\":[\"a\"],\"env\":[\"A=\"",
		    ",\"A=\"", "]}");
	else if (!strcmp(kind, "groups"))
		config(t,
		    "\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],"
		    "\"user\":{\"additionalGids\":[0",
		    ",0", "]}}");
	else if (!strcmp(kind, "annotations"))
		config(t, "\"annotations\":{\"\\u0001\":\"\"", NULL, "}");
	else if (!strcmp(kind, "mounts"))
		config(t, "\"mounts\":[{\"destination\":\"/\"}",
		    ",{\"destination\":\"/\"}", "]");
	else if (!strcmp(kind, "masks"))
		config(t,
		    "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],"
		    "\"maskedPaths\":[\"/\"",
		    ",\"/\"", "]}");
	else
		return false;
	return true;
}

static bool
hostile(struct text *t, const char *kind)
{
	if (!strcmp(kind, "arrays"))
		nest(t, "[", "]");
	else if (!strcmp(kind, "objects"))
		nest(t, "{\"a\":", "}");
	else if (!strcmp(kind, "mixed"))
		mixed(t);
	else if (!strcmp(kind, "deep"))
		repeat(t, "", "[{\"a\":", "");
	else if (!strcmp(kind, "siblings"))
		repeat(t, "[0", ",0", "]");
	else if (!strcmp(kind, "strings"))
		repeat(t, "[\"\"", ",\"\\n\\ud834\\udd1e\"", "]");
	else if (!strcmp(kind, "keys"))
		keys(t, "");
	else if (!strcmp(kind, "same-start"))
		keys(t, "org.example.a.long.common.prefix.");
	else
		return false;
	return true;
}

/* What this process has used, so that a busy machine does not count. */
static long
microseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000L + ts.tv_nsec / 1000;
}

/* 100 ms, or eight times a plain loop over 10 MB where that is more: an emulated
 * CPU is no reason to fail; what is quadratic takes seconds. */
static long
limit(void)
{
	volatile uint64_t sink;
	uint64_t h = 14695981039346656037u;
	long took = microseconds();
	int i;

	for (i = 0; i < 10000000; i++)
		h = (h ^ (uint64_t)(i & 255)) * 1099511628211u;
	sink = h;
	(void)sink;
	took = (microseconds() - took) * 8;
	return took > 100000 ? took : 100000;
}

static int
time_one(const char *kind)
{
	struct text t = { 0 };
	struct input in = { .name = kind };
	long best = LONG_MAX, took;
	void (*try)(void *) = try_validate;
	bool ok = false;
	int i;

	if (hostile_config(&t, kind)) {
		try = try_config;
	} else if (!hostile(&t, kind)) {
		fprintf(stderr, "json: unknown input '%s'\n", kind);
		return 2;
	}
	in.len = t.n;
	for (i = 0; i < 3; i++) {
		in.text = base_dupn(t.p, t.n);
		took = microseconds();
		ok = err_try(try, &in);
		took = microseconds() - took;
		best = took < best ? took : best;
	}
	printf("%s bytes %zu %s us %ld\n", kind, t.n, ok ? "accept" : "refuse",
	    best);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "", *slash;
	int i, bad = 0;

	if (!strcmp(mode, "time"))
		printf("limit us %ld\n", limit());
	for (i = 2; i < argc; i++) {
		slash = strrchr(argv[i], '/');
		if (!strcmp(mode, "validate"))
			bad |= read_one(
			    try_validate, slash ? slash + 1 : argv[i], argv[i]);
		else if (!strcmp(mode, "config"))
			bad |= read_one(try_config, "config.json", argv[i]);
		else if (!strcmp(mode, "time"))
			bad |= time_one(argv[i]);
		else
			break;
	}
	if (argc < 3 || i < argc) {
		fputs("usage: json validate|config FILE...\n"
		      "       json time KIND...\n",
		    stderr);
		return 2;
	}
	return bad;
}
