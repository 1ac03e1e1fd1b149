# ocirt - a minimal OCI container runtime, in one file
# See LICENSE file for copyright and license details.
# What may be chosen is in config.mk; `make help` lists the targets.

include config.mk

# -- what is compiled, and how ------------------------------------------------

# Every switch is defined, 0 or 1, so that -Wundef finds a misspelt one.
SWITCHES = SECCOMP SELFSEAL
$(foreach s,${SWITCHES},$(if $(filter 0 1,${$s}),,\
	$(error $s is '${$s}', but must be 0 or 1)))

# The commit this is built from; .commit is `make dist`'s word in a tarball.
COMMIT := $(shell { test -e .git && git -c safe.directory='*' describe \
	--always --dirty || cat .commit || echo unknown; } 2>/dev/null)

DEFS = -DVERSION='"${VERSION}"' -DCOMMIT='"${COMMIT}"' \
	-DSTATEDIR='"${STATEDIR}"' $(foreach s,${SWITCHES},-D$s=${$s})
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef \
	-Wvla -Wformat=2 -Werror=implicit-function-declaration \
	-Werror=format-nonliteral
# No unwind tables: nothing unwinds, and they are loaded with the program.
OURCFLAGS = -std=gnu11 -Os -g -fno-pie -fstack-protector-strong \
	-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables \
	${WARN} ${DEFS} ${KINC}
OURLDFLAGS = -static -no-pie -Wl,--gc-sections -Wl,-z,relro,-z,now \
	-Wl,-z,noexecstack

# Debian's archive is made for glibc. What prints filters as text, which nothing
# here does, wants a symbol that musl lacks: it is left out.
LIBS_1 = ${LIBSECCOMP} -Wl,--defsym=gen_pfc_generate=abort
LIBS = ${LIBS_${SECCOMP}}

COMPILE = ${CC} ${OURCFLAGS} ${CFLAGS}
LINK = ${OURLDFLAGS} ${LDFLAGS} ${LIBS}
# What everything is made again for; .cache/flags is for a changed command line.
INPUTS = ocirt.c jsmn.h config.mk Makefile .cache/flags

HELPERS = $(patsubst tests/%.c,tests/bin/%,$(wildcard tests/*.c))

all: ocirt ## build ./ocirt (this is what a bare `make` does)

ocirt: ocirt.debug
	$$(${CC} -print-prog-name=objcopy) -S -R .comment ocirt.debug $@

ocirt.debug: ${INPUTS} | tools
	${COMPILE} -o $@ ocirt.c ${LINK}

# A helper may include ocirt.c whole, to call what it likes.
tests/bin/%: tests/%.c ${INPUTS} | tools
	@mkdir -p tests/bin
	${COMPILE} -iquote . -Wno-unused-function -Wno-missing-prototypes \
		-o $@ $< ${LINK}

.cache/flags: FORCE
	@mkdir -p .cache
	@echo ${COMPILE} ${LINK} | cmp -s - $@ || echo ${COMPILE} ${LINK} >$@

options:
	@echo "ocirt ${VERSION} (${COMMIT}): CC=${CC}" \
		"$(foreach s,${SWITCHES},$s=${$s}) STATEDIR=${STATEDIR}" \
		"CFLAGS='${CFLAGS}' LDFLAGS='${LDFLAGS}'"

tools: options
	@${CC} -dumpversion >/dev/null 2>&1 || { echo "ocirt: '${CC}' does not" \
		"run; \`make deps\` installs: ${DEB_BUILD}" >&2; exit 1; }
	@test ${SECCOMP} = 0 -o -f '${LIBSECCOMP}' || { echo "ocirt: there is no" \
		"${LIBSECCOMP}; \`make deps\` installs it, SECCOMP=0 builds" \
		"without" >&2; exit 1; }

# -- what is needed -----------------------------------------------------------

# $(call need,PACKAGES): makes the Debian packages be there. Old package lists
# are fetched anew only when the installation fails with those at hand.
define need
@test '${DEPS}' != 0 || exit 0; miss=; \
for p in $1; do \
	dpkg-query -W -f '$${Status}\n' $$p 2>/dev/null | \
	grep -q ' ok installed$$' || miss="$$miss $$p"; \
done; \
test "$$miss" || exit 0; \
if ! command -v apt-get >/dev/null; then \
	echo "ocirt: this needs, by their Debian names:$$miss" >&2; \
	echo "ocirt: install them, then add DEPS=0 to the command" >&2; exit 1; \
fi; \
as=; test "$$(id -u)" = 0 || as=sudo; \
if test "$$as" && ! command -v sudo >/dev/null; then \
	echo "ocirt: this needs root to install:$$miss" >&2; exit 1; \
fi; \
echo "installing:$$miss"; \
apt() { \
	$$as env DEBIAN_FRONTEND=noninteractive \
	apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=5 \
		"$$@" </dev/null; \
}; \
get() { apt install -y --no-install-recommends "$$@" $$miss; }; \
for pause in 10 30 60 120 0; do \
	{ get -s >/dev/null 2>&1 && get; } || { apt update && get; } && exit; \
	echo "ocirt: trying again in $$pause s" >&2; sleep $$pause; \
done; \
echo "ocirt: could not install:$$miss" >&2; exit 1
endef

deps: ## install the Debian packages to build, test and try it
	$(call need,${DEB_BUILD} ${DEB_TEST} ${DEB_DEMO})

# What is built after an installation is built by a make of its own: this one
# has asked the compiler about its target before there was one.
BUILD = ${MAKE} --no-print-directory -j$$(nproc 2>/dev/null || echo 1)

# -- try, test ----------------------------------------------------------------

# The binary under test, and the tests to run: make check T='json spec'
OCIRT = ${CURDIR}/ocirt
T =
# skip: check-vm is no failure where the archive cannot be reached.
NO_KERNEL = fail
TESTS = $(if ${T},${T:%=tests/%.t},$(sort $(wildcard tests/*.t)))
PROVE = prove --timer

demo: ## run a container from a bundle made of busybox; needs root
	@test "$$(id -u)" = 0 || { echo "ocirt: needs root: sudo make demo" >&2; \
		exit 1; }
	$(call need,${DEB_BUILD} ${DEB_DEMO})
	@${BUILD} ocirt
	@OCIRT='${OCIRT}' sh examples/hello.sh

check: ## run the tests, or those named: make check T='json spec'
	$(call need,${DEB_BUILD} ${DEB_TEST})
	@${BUILD} ocirt helpers
	@test '${TESTS}' || { echo "ocirt: no tests/*.t" >&2; exit 1; }
	@export OCIRT='${OCIRT}'; \
	if command -v ${firstword ${PROVE}} >/dev/null; then \
		${PROVE} -e sh ${TESTS}; \
	else \
		${CHECKLOOP}; \
	fi

helpers: ${HELPERS}

# For a host without prove: what a test prints is shown when it fails. It fails
# by its exit code, by a "not ok", or when its plan and its tests differ.
CHECKLOOP = good=0 bad=0; \
for t in ${TESTS}; do \
	if out=$$(sh $$t 2>&1) && printf '%s\n' "$$out" | awk ' \
		/^1\.\.[0-9]/ { plan = substr($$1, 4); planned = 1 } \
		/^(not )?ok/ { n++ } \
		/^not ok/ && !/\# TODO/ { bad = 1 } \
		END { exit bad || !planned || plan + 0 != n + 0 }'; \
	then good=$$((good + 1)); echo "$$t: ok"; \
	else bad=$$((bad + 1)); printf '%s\n%s: FAILED\n' "$$out" "$$t"; fi; \
done; \
echo "$$good passed, $$bad failed"; test $$bad = 0

# What never looks at the kernel need not be asked of another one.
VM_TESTS = $(filter-out $(patsubst %,tests/%.t,coverage json layout legacy plan \
	schema spec),${TESTS})

check-vm: ## run the tests that look at the kernel on another one, in QEMU
	$(call need,${DEB_BUILD} ${DEB_TEST} ${DEB_VM})
	@${BUILD} ocirt helpers
	@vm() { \
		OCIRT='${OCIRT}' tests/vm/run "$$@"; status=$$?; \
		test $$status = 77 -a '${NO_KERNEL}' = skip || return $$status; \
		echo "check-vm: SKIPPED, the archive gave no kernel"; \
	}; \
	vm ${VM_TESTS} && vm --root initramfs tests/run.t tests/ns.t

# The same file with every access watched: glibc's, dynamic, for there is no
# sanitizer for musl. Nothing is freed by design, so leaks are not looked for:
# that is in the binary, for tests run it without an environment, too, and the
# leak sanitizer never ends in a process that may not be traced.
ASAN_CC = gcc
ASAN_FLAGS = -std=gnu11 -O1 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined
ASAN_SECCOMP_1 = -lseccomp

.cache/asan/ocirt: ${INPUTS}
	@mkdir -p .cache/asan
	@echo 'const char *__asan_default_options(void)' \
		'{ return "detect_leaks=0"; }' >.cache/asan/options.c
	${ASAN_CC} ${ASAN_FLAGS} ${DEFS} -o $@ ocirt.c .cache/asan/options.c \
		${ASAN_SECCOMP_${SECCOMP}}

asan: ## run the tests, or those named by T, with the sanitizers of gcc
	$(call need,${DEB_BUILD} ${DEB_TEST} ${DEB_ASAN})
	@${BUILD} .cache/asan/ocirt
	@${MAKE} --no-print-directory check \
		OCIRT='${CURDIR}/.cache/asan/ocirt'

size: ocirt ## say how large it is; fails above SIZELIMIT
	@nm --print-size --size-sort --reverse-sort --radix=d ocirt.debug | \
		sed '/ [bB] /d; s/^[0-9]* 0*//' | head -n 20
	@n=$$(wc -c <ocirt); echo "ocirt: $$n bytes, limit ${SIZELIMIT}"; \
		test $$n -le ${SIZELIMIT}

# -- read it with other eyes --------------------------------------------------

LINTS = lint-format lint-shell lint-switches lint-cppcheck lint-analyzer
SCRIPTS = $(shell grep -lE '^.!.*\<(ba|da)?sh\>' tests/*.t tests/lib.sh \
	tests/vm/* examples/*.sh .ci/run 2>/dev/null)

lint: ## run every linter; any finding is an error
	$(call need,${DEB_BUILD} ${DEB_LINT})
	@${BUILD} -k -Otarget ${LINTS}

lint-format:
	clang-format -n --Werror ocirt.c $(wildcard tests/*.c)

lint-shell:
	shellcheck -s sh -x ${SCRIPTS}

# Every combination of the switches compiles, and without a warning.
lint-switches: .cache/flags | tools
	@for a in 0 1; do for b in 0 1; do \
		${COMPILE} -Werror -USECCOMP -DSECCOMP=$$a -USELFSEAL \
		-DSELFSEAL=$$b -c -o .cache/switches.o ocirt.c || exit 1; \
		echo "compiles: SECCOMP=$$a SELFSEAL=$$b"; \
	done; done

# One configuration: the switches are the compiler's to vary.
lint-cppcheck:
	timeout 600 cppcheck -q --error-exitcode=1 --inline-suppr --std=c11 \
		--enable=warning,portability,performance --library=gnu \
		--suppress=missingIncludeSystem --suppress='*:/usr/include/*' \
		${DEFS} ocirt.c

lint-analyzer: .cache/flags | tools
	timeout 600 ${COMPILE} -Werror -Wconversion -fanalyzer \
		-c -o .cache/analyzer.o ocirt.c

# -- give it away -------------------------------------------------------------

BINDIR = ${DESTDIR}${PREFIX}/bin
MANDIR = ${DESTDIR}${MANPREFIX}/man8
COMPDIR = ${DESTDIR}${PREFIX}/share/bash-completion/completions

# Both are in the tarball as well, where they are as old as ocirt.c: a build for
# another CPU need not run what it has built.
ocirt.8: ocirt.c config.mk | ocirt
	./ocirt help man >$@

ocirt.bash: ocirt.c config.mk | ocirt
	./ocirt help bash >$@

install: ocirt ocirt.8 ocirt.bash ## install under DESTDIR/PREFIX
	mkdir -p '${BINDIR}' '${MANDIR}' '${COMPDIR}'
	install -m 755 ocirt '${BINDIR}/ocirt'
	install -m 644 ocirt.8 '${MANDIR}/ocirt.8'
	install -m 644 ocirt.bash '${COMPDIR}/ocirt'

uninstall: ## remove what install put there
	rm -f '${BINDIR}/ocirt' '${MANDIR}/ocirt.8' '${COMPDIR}/ocirt'

# All that git tracks, as it stands here, and what cannot be made from it
# elsewhere. The same commit makes the same bytes.
DIST = ocirt-${VERSION}
dist: ocirt.8 ocirt.bash ## make ocirt-VERSION.tar.gz from a git checkout
	@test -e .git || { echo "ocirt: not a git checkout" >&2; exit 1; }
	echo '${COMMIT}' >.cache/commit
	{ git ls-files; echo ocirt.8; echo ocirt.bash; echo .cache/commit; } | \
		tar -c -T - --sort=name --owner=0 --group=0 --mode=u=rwX,go=rX \
		--mtime="@$$(git log -1 --format=%ct)" \
		--transform='s,^\.cache/commit$$,.commit,;s,^,${DIST}/,' | \
		gzip -9n >${DIST}.tar.gz

clean: ## remove what was built
	rm -f ocirt ocirt.debug ocirt.8 ocirt.bash ${DIST}.tar.gz .cache/flags \
		.cache/commit .cache/*.o
	rm -rf tests/bin .cache/asan

help: ## say this
	@echo "usage: make [TARGET] [NAME=VALUE]   (names: config.mk)"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 \2/p' Makefile | \
		while read -r t text; do printf '  %-10s %s\n' "$$t" "$$text"; done

.DELETE_ON_ERROR:
.PHONY: FORCE all options tools deps demo check helpers check-vm asan size \
	lint ${LINTS} install uninstall dist clean help
