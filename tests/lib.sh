# lib.sh - what every test shares: TAP, bundles, clean-up. Sourced, not run.
#
#   . tests/lib.sh          (from the top of the checkout)
#   need_root               skip the file unless we are root
#   bundle                  a fresh bundle in $B with a static busybox root
#   config FILTER           change $B/config.json with a sed script
#   check 'sentence' CMD    one assertion: CMD succeeds
#   done_testing            the plan; the exit status of the test
#
# Everything a test makes lies below $T or is named by an id that begins with
# $ID, so that clean-up finds it even when the test fails half way.
# shellcheck shell=sh disable=SC2034

OCIRT=${OCIRT:-$PWD/ocirt}
TOP=$PWD
T=$(mktemp -d "${TMPDIR:-/tmp}/ocirt-test.XXXXXX") || exit 1
chmod 755 "$T"
ROOT=$T/state
B=$T/bundle
ID=ot$$
tests=0 failed=0
unset OCIRT_ROOT XDG_RUNTIME_DIR NOTIFY_SOCKET LISTEN_FDS LISTEN_PID

# Kill, delete and unmount all that is ours; never anything else.
cleanup()
{
	rc=$?
	trap - EXIT HUP INT TERM
	for d in "$ROOT"/*/; do
		[ -d "$d" ] && timeout 20 "$OCIRT" --root "$ROOT" delete -f \
			"$(basename "$d")" >/dev/null 2>&1
	done
	for pid in $pids; do
		kill -9 "$pid" 2>/dev/null
	done
	awk -v t="$T/" 'index($5, t) == 1 { print $5 }' /proc/self/mountinfo |
		sort -r | while read -r m; do umount -l "$m"; done
	cgroups | while read -r d; do rmdir "$d"; done
	rm -rf --one-file-system "$T" 2>/dev/null || rm -rf "$T"
	exit "$rc"
}
pids=
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# ---- TAP ----

ok()
{
	tests=$((tests + 1))
	echo "ok $tests - $1"
}

not_ok()
{
	tests=$((tests + 1))
	failed=$((failed + 1))
	echo "not ok $tests - $1"
}

diag()
{
	printf '%s\n' "$*" | sed 's/^/# /'
}

# check 'sentence' command...: succeeds. What it printed is shown if not.
check()
{
	what=$1
	shift
	if "$@" >"$T/check.out" 2>&1; then
		ok "$what"
	else
		status=$?
		not_ok "$what"
		diag "$* exited with $status"
		sed 's/^/#   /' "$T/check.out"
	fi
}

# is 'sentence' GOT WANT: the same text.
is()
{
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1"
		diag "got:  $2"
		diag "want: $3"
	fi
}

# like 'sentence' TEXT PATTERN: the text matches the extended regexp.
like()
{
	if printf '%s\n' "$2" | grep -Eq -- "$3"; then
		ok "$1"
	else
		not_ok "$1"
		diag "got:  $2"
		diag "want: /$3/"
	fi
}

# unlike 'sentence' TEXT PATTERN
unlike()
{
	if printf '%s\n' "$2" | grep -Eq -- "$3"; then
		not_ok "$1"
		diag "got:      $2"
		diag "unwanted: /$3/"
	else
		ok "$1"
	fi
}

# skip 'sentence' 'reason': an assertion that this host cannot make.
skip()
{
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP $2"
}

skip_all()
{
	echo "1..0 # SKIP $1"
	exit 0
}

done_testing()
{
	echo "1..$tests"
	[ "$failed" = 0 ]
	exit
}

need_root()
{
	[ "$(id -u)" = 0 ] || skip_all "needs root"
}

# need_program NAME
need_program()
{
	command -v "$1" >/dev/null 2>&1 || skip_all "needs $1"
}

# ---- bundles ----

# By path: a busybox shell answers "command -v busybox" with its own applet.
for BUSYBOX in /bin/busybox /usr/bin/busybox; do
	[ ! -x "$BUSYBOX" ] || break
done

# bundle [DIR]: config.json as "ocirt spec" writes it, without a terminal, and
# a root file system of a static busybox with its usual names.
bundle()
{
	bundle_dir=${1:-$B}
	rm -rf "$bundle_dir"
	mkdir -p "$bundle_dir/rootfs/bin" "$bundle_dir/rootfs/etc" "$bundle_dir/rootfs/tmp" || exit 1
	cp "$BUSYBOX" "$bundle_dir/rootfs/bin/busybox" || exit 1
	for bundle_n in sh true false ls cat ps id mount echo sleep env grep sed awk \
		stat readlink kill hostname touch mkdir chmod head sort tr \
		test printf dd pwd wc cut ip tty stty mknod; do
		ln -sf busybox "$bundle_dir/rootfs/bin/$bundle_n"
	done
	"$OCIRT" spec -b "$bundle_dir" || exit 1
	sed -i 's/"terminal": true/"terminal": false/' "$bundle_dir/config.json"
}

# config SED-SCRIPT [DIR]: edit config.json; a script that changes nothing is
# an error of the test.
config()
{
	f=${2:-$B}/config.json
	cp "$f" "$T/config.old"
	sed -i "$1" "$f" || exit 1
	if cmp -s "$f" "$T/config.old"; then
		echo "Bail out! config: no change by: $1"
		exit 1
	fi
}

# edit JQ-FILTER [DIR]: change config.json with a jq filter; a filter that
# changes nothing is an error of the test.
edit()
{
	f=${2:-$B}/config.json
	if ! jqs --tab "$1" "$f" >"$T/config.new" || cmp -s "$f" "$T/config.new"; then
		echo "Bail out! edit: no change by: $1"
		exit 1
	fi
	mv "$T/config.new" "$f"
}

# jqs ARGS...: jq, which takes numbers for floating ones, but 2^64-1 is kept
jqs()
{
	jq "$@" | sed 's/18446744073709552000/18446744073709551615/g'
}

# without TYPE: $B has no namespace of that type, it stays in the host's.
without()
{
	edit ".linux.namespaces |= map(select(.type != \"$1\"))"
}

# ns_path TYPE PATH: the namespace of that type is the one at PATH.
ns_path()
{
	edit ".linux.namespaces |= map(select(.type != \"$1\"))
		+ [{type: \"$1\", path: \"$2\"}]"
}

# add_mount JSON-OBJECT: one more mount of $B, behind the others.
add_mount()
{
	edit ".mounts += [$1]"
}

# host_cgroupns: $B keeps the host's cgroup namespace, so that what is in /proc
# of the container are the host's names. Only a v2 host's bundle has its own.
host_cgroupns()
{
	! grep -q '"type": "cgroup"$' "$B/config.json" || without cgroup
}

# args JSON-STRINGS: the program of $B, e.g. args '"sh","-c","id"'
args()
{
	awk -v new="$1" '
	/"args": \[/ { sub(/\[.*/, "[" ); print; print "\t\t\t" new; skip = 1 }
	skip && /\]/ { skip = 0 }
	!skip { print }' "$B/config.json" >"$T/config.new" || exit 1
	mv "$T/config.new" "$B/config.json"
}

# script TEXT: the program of $B is a shell that runs TEXT (any quoting).
script()
{
	printf '%s\n' "$1" >"$B/rootfs/script"
	args '"sh", "/script"'
}

# o ARGS...: ocirt with the test's own state root
o()
{
	"$OCIRT" --root "$ROOT" "$@"
}

# run_b [OPTIONS]: run $B as $ID in the foreground; stdout and stderr come out,
# the status is ocirt's
run_b()
{
	o run -b "$B" "$@" "$ID" </dev/null
}

# refused 'sentence' PATTERN COMMAND...: it exits with 1, says one line, which
# matches the extended regexp, and leaves nothing behind.
refused()
{
	refused_what=$1 refused_pattern=$2
	shift 2
	"$@" >"$T/refused.out" 2>"$T/refused.err" </dev/null
	refused_rc=$?
	if [ $refused_rc -eq 1 ] && [ ! -s "$T/refused.out" ] &&
		[ "$(wc -l <"$T/refused.err")" -eq 1 ] &&
		grep -Eq -- "$refused_pattern" "$T/refused.err" &&
		nothing_left >"$T/refused.left" 2>&1; then
		ok "$refused_what"
	else
		not_ok "$refused_what"
		diag "$* exited with $refused_rc, want 1 and /$refused_pattern/"
		diag "$(cat "$T/refused.err" "$T/refused.out" "$T/refused.left")"
	fi
	rm -f "$T/refused.left"
}

# ---- looking ----

# wait_for SECONDS COMMAND...: until it succeeds; fails after that time
wait_for()
{
	end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$end" ] || return 1
		sleep 0.02
	done
}

# gone PID: there is no such process, or only its zombie
gone()
{
	[ ! -e "/proc/$1/stat" ] ||
		[ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)" = Z ]
}

# await PID: its status when it has ended; after 10 s it is killed
await()
{
	wait_for 10 gone "$1" || kill -9 "$1"
	wait "$1"
}

# status ID: the word that state prints, nothing when there is none
status()
{
	o state "$1" 2>/dev/null | sed -n 's/.*"status": "\(.*\)".*/\1/p'
}

is_status()
{
	[ "$(status "$1")" = "$2" ]
}

# pid ID: init's pid on the host
pid()
{
	o state "$1" 2>/dev/null | sed -n 's/.*"pid": \([0-9]*\).*/\1/p'
}

# cgroups: directories of ours below any cgroup mount
cgroups()
{
	awk '$0 ~ / - cgroup2? / { print $5 }' /proc/self/mountinfo |
		while read -r m; do
			find "$m" -depth -type d -name "$ID*" 2>/dev/null
		done
}

# mounts: this namespace's mounts without their numbers, to compare
mounts()
{
	cut -d' ' -f3- /proc/self/mountinfo | sort
}

# nothing_left: no state, no cgroup and no mount of ours
nothing_left()
{
	[ -z "$(ls -A "$ROOT" 2>/dev/null)" ] || { ls -la "$ROOT"; return 1; }
	[ -z "$(cgroups)" ] || { cgroups; return 1; }
	! grep -F "$T/" /proc/self/mountinfo
}

# hidden CONDITION COMMAND...: run it on a host that has not the cgroup mounts
# for which the awk CONDITION holds: t is the type, s the super options
hidden()
{
	hidden_what=$1
	shift
	cat >"$T/hidden" <<END
awk '{ for (i = 7; \$i != "-"; i++); t = \$(i + 1); s = \$(i + 3) }
t ~ /^cgroup/ && ($hidden_what) { print \$5 }' /proc/self/mountinfo |
	sort -r | while read -r m; do umount -l "\$m"; done
exec "\$@"
END
	unshare -m --propagation private sh "$T/hidden" "$@"
}

# host_kind: v1, v2, hybrid or none, by what is mounted
host_kind()
{
	awk '$0 ~ / - cgroup / { v1 = 1 } $0 ~ / - cgroup2 / { v2 = 1 }
	END { print v1 && v2 ? "hybrid" : v1 ? "v1" : v2 ? "v2" : "none" }' \
		/proc/self/mountinfo
}
