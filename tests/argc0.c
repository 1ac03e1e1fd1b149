/* argc0 PROGRAM: execute it without any argument, not even its name. */
#include <stdio.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	char *none[] = { NULL };

	if (argc == 2)
		execve(argv[1], none, none);
	perror("argc0");
	return 125;
}
