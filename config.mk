# ocirt: what may be chosen. Any line can be given to make instead, for one
# build: make SECCOMP=0. A comment never stands behind a value: make would keep
# the blanks between them.
VERSION = 0.1.0

# Where `make install` puts things; DESTDIR goes before them.
PREFIX = /usr/local
MANPREFIX = ${PREFIX}/share/man

# State of the containers. On a tmpfs: it must not outlive a boot.
STATEDIR = /run/ocirt

# Switches, 0 or 1. What is switched off is refused in a config, never ignored.
# SECCOMP: system call filters, by libseccomp; half of the binary's size.
SECCOMP = 1
# SELFSEAL: run from a sealed copy of the binary, so that a container can not
# overwrite the host's (CVE-2019-5736). 0 only where the file is read-only.
SELFSEAL = 1

# `make size` fails above this many bytes: initramfs and flash are small.
SIZELIMIT_1 = 400000
SIZELIMIT_0 = 290000
SIZELIMIT = ${SIZELIMIT_${SECCOMP}}

# musl, so that a static binary needs nothing from the host it lands on.
CC = musl-gcc
# Yours; they come after ours, so they win.
CFLAGS =
LDFLAGS =

# Debian's name for the CPU; the guess serves until there is a compiler to ask.
TRIPLET := $(shell ${CC} -print-multiarch 2>/dev/null || \
	echo `uname -m`-linux-gnu)
# The kernel's headers, seccomp.h and jsmn.h: musl-gcc looks nowhere but in
# musl's own folder, and the C library's headers must not come before musl's.
KINC = -idirafter /usr/include -idirafter /usr/include/${TRIPLET}
# The static archive by its path: -lseccomp could find the shared one.
LIBSECCOMP = /usr/lib/${TRIPLET}/libseccomp.a

# The Debian packages that each target needs; it installs what is missing.
DEB_BUILD = gcc binutils musl-tools linux-libc-dev libseccomp-dev libjsmn-dev
DEB_DEMO = busybox-static
DEB_TEST = perl strace busybox-static jq uidmap iproute2
DEB_ASAN = libc6-dev libasan8 libubsan1 libseccomp2
DEB_VM = qemu-system-x86 cpio busybox-static criu
DEB_LINT = clang-format cppcheck shellcheck
# 0: install nothing, trust that all is there (other distributions).
DEPS = 1
