/* The JSON tokenizer, jsmn (MIT licence), comes from the system: libjsmn-dev on
 * Debian. This header chooses how it is built and hands on to the real one.
 * There is no include guard here: the real one has its own, and where the search
 * path names this folder, the next jsmn.h is this file once more.
 */
#define JSMN_STATIC       /* one C file: nothing to link */
#define JSMN_STRICT       /* a bare word is not a value */
#define JSMN_PARENT_LINKS /* without them, closing a bracket is a search */

#ifdef __has_include_next
#if !__has_include_next(<jsmn.h>)
#error "jsmn.h is not installed: `make deps`, or apt-get install libjsmn-dev"
#endif
#endif
#include_next <jsmn.h>
