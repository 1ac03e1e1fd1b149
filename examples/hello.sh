#!/bin/sh
# Shows: a container from nothing but a static busybox, run and deleted.
# Change: the "args" below, or hand in a program:  examples/hello.sh ls -l /
#
# Needs root, a static busybox and ocirt (here, in PATH, or in $OCIRT).
set -eu

ocirt=${OCIRT:-$(cd "$(dirname "$0")/.." && pwd)/ocirt}
[ -x "$ocirt" ] || ocirt=$(command -v ocirt)
busybox=/bin/busybox
[ -x "$busybox" ] || busybox=/usr/bin/busybox
bundle=$(mktemp -d)
trap 'rm -rf "$bundle"' EXIT

# 1. A root file system: one program under several names.
mkdir -p "$bundle/rootfs/bin"
cp "$busybox" "$bundle/rootfs/bin/busybox"
for name in sh ls cat ps id hostname uname mount; do
	ln -s busybox "$bundle/rootfs/bin/$name"
done

# 2. config.json, as "ocirt spec" writes it, with our program in it.
"$ocirt" spec --bundle "$bundle"
if [ $# -gt 0 ]; then
	args=$(printf '"%s",' "$@")
	args=${args%,}
else
	# shellcheck disable=SC2016 # the container's shell expands it
	args='"sh", "-c", "echo hello from $(hostname), pid $$; id; ps"'
fi
awk -v args="$args" '
	/"terminal": true/ { sub("true", "false") }
	/"hostname"/ { sub(/: ".*"/, ": \"hello\"") }
	/^\t\t\t"sh"$/ { print "\t\t\t" args; next }
	{ print }' "$bundle/config.json" >"$bundle/new"
mv "$bundle/new" "$bundle/config.json"

# 3. Run it. The container is gone when its program ends.
"$ocirt" run --bundle "$bundle" "hello-$$"
