#!/bin/sh
# plan.t - struct spec becomes a plan: what "ocirt plan" prints, and that this
# is all it does
#
# Covers every mount option (alone, and against its opposite both ways),
# propagation in order, data options, binds, devices and default devices, late
# read-only mounts, masked and read-only paths once each, the process, in text
# and in JSON; the same as an ordinary user; nothing on the machine changed.
#
#   tests/data/plan-NAME.json      the config
#   tests/data/plan-NAME.txt       what plan prints about it
#   tests/data/plan-NAME.out.json  the same with --format json
#
# UPDATE=1 sh tests/plan.t writes both anew: read the difference before you
# keep it. Left out is what this host decides: cgroups, notes, /dev/core, and
# the cgroup namespace, which has a check of its own.
#
# Needs: no root. With root it becomes an ordinary user too, by setpriv(1) or
# busybox' start-stop-daemon.
# shellcheck disable=SC2317
LC_ALL=C
export LC_ALL
. tests/lib.sh

mkdir -p "$B/rootfs" || exit 1
cp "$OCIRT" "$T/ocirt" || exit 1
OCIRT=$T/ocirt

# text, json: plan's output without what the host decides
text()
{
	sed "/^cgroups /d; /^notes /d; /^link  *\/dev\/core /d
		s|$B|BUNDLE|g; s|$T|ABOVE|g"
}

json()
{
	awk '/^  "(cgroups|notes)": \[$/ { skip = 1 }
	skip { if (/^  \]/) skip = 0; next }
	/^    \{$/ { object = $0; next }
	object { object = object "\n" $0
		if (/^    \}/) {
			if (object !~ /"target": "\/dev\/core"/) print object
			object = ""
		}
		next }
	{ print }' | sed "s|$B|BUNDLE|g; s|$T|ABOVE|g"
}

# golden NAME FILTER SUFFIX ARGS...: plan prints what the file says
golden()
{
	name=$1 filter=$2 want=tests/data/plan-$1.$3
	shift 3
	cp "tests/data/plan-$name.json" "$B/config.json"
	"$OCIRT" plan -b "$B" "$@" >"$T/out" 2>"$T/err" || {
		cat "$T/err"
		return 1
	}
	[ ! -s "$T/err" ] || { cat "$T/err"; return 1; }
	$filter <"$T/out" >"$T/got"
	[ -z "${UPDATE-}" ] || cp "$T/got" "$want"
	diff -u "$want" "$T/got"
}

for f in tests/data/plan-*.txt; do
	name=${f#tests/data/plan-}
	name=${name%.txt}
	check "the plan of $name is as written down" golden "$name" text txt
	check "the plan of $name in JSON is as written down" \
		golden "$name" json out.json --format json
	if [ -x tests/bin/json ]; then
		like "the plan of $name in JSON is JSON" \
			"$(tests/bin/json validate "$T/out" 2>&1)" '^accept '
	else
		skip "the plan of $name in JSON is JSON" \
			'no tests/bin/json: make helpers'
	fi
done

# ---- every mount option is in plan-options.json ----

# words FILE: the options of ocirt.c's table that plan takes
words()
{
	awk '/tab_mntopt\[\] = / { on = 1 } on && /^};/ { on = 0 }
	on && /MO_(FLAG|PROP|REC)/ && match($0, /"[a-z]*"/) {
		print substr($0, RSTART + 1, RLENGTH - 2)
	}' "$1" | sort
}

if [ -f ocirt.c ]; then
	tr -d ' \t' <tests/data/plan-options.json |
		sed -n 's/.*"options":\[\(.*\)\].*/\1/p' | tr ',' '\n' |
		sed -n 's/^"\(.*\)"$/\1/p' | sort -u >"$T/used"
	is 'every mount option of ocirt.c is planned somewhere' \
		"$(words ocirt.c | grep -vxFf "$T/used")" ''
else
	skip 'every mount option of ocirt.c is planned somewhere' \
		'no ocirt.c here'
fi

# ---- what the host decides ----

cp tests/data/plan-bare.json "$B/config.json"
sed -i 's/\[{/[{ "type": "cgroup" }, {/' "$B/config.json"
got=$("$OCIRT" plan -b "$B")
if [ -e /proc/self/ns/cgroup ]; then
	like 'a cgroup namespace is planned' "$got" \
		'^namespaces   mount cgroup$'
else
	like 'a cgroup namespace that the kernel lacks is noted' "$got" \
		'^notes .*no cgroup namespaces: needs CONFIG_CGROUPS'
fi
if [ -e /proc/kcore ]; then
	like '/dev/core is planned where there is a kcore' "$got" \
		'^link         /dev/core source /proc/kcore$'
else
	unlike '/dev/core is not planned where there is no kcore' "$got" \
		/dev/core
fi
like 'cgroups are planned or their absence is noted' "$got" \
	'^cgroups .*/ID( |$)|^notes .*no cgroup hierarchy is mounted'
like 'the plan is about the id given' "$("$OCIRT" plan -b "$B" box-1)" \
	'^id           box-1$'
is 'the current directory is the bundle by default' \
	"$(cd "$B" && "$OCIRT" plan)" "$got"
is 'the bundle may be named from the current directory' \
	"$(cd "$T" && "$OCIRT" plan --bundle ./x/../bundle/)" "$got"
is 'text is the format by default' \
	"$("$OCIRT" plan --format text -b "$B")" "$got"

# ---- a hostile config ----

cat >"$B/config.json" <<'END'
{ "ociVersion": "1.0.0", "root": { "path": "rootfs" }, "hostname": "a\nid b",
  "mounts": [{ "destination": "/m\nmount        /etc", "type": "tmpfs",
               "options": ["a=\u001b[2J", "private", "shared", "slave",
                           "unbindable"] }],
  "process": { "cwd": "/", "env": ["A=\u009b2J"],
               "args": ["sh\nuser         0:0", "\u007f\u001b]0;x\u0007"] },
  "linux": { "namespaces": [{ "type": "mount" }, { "type": "uts" }] } }
END
"$OCIRT" plan -b "$B" >"$T/out"
unlike 'a value cannot add a line to the plan' "$(cat "$T/out")" \
	'^(id b|mount        /etc|user         0:0.*[^0])'
is 'nor bytes that drive a terminal' \
	"$(tr -d '\n\040-\176' <"$T/out" | wc -c | tr -d ' ')" 0
"$OCIRT" plan --format json -b "$B" >"$T/out"
if [ -x tests/bin/json ]; then
	like 'in JSON it is still JSON, with no name twice' \
		"$(tests/bin/json validate "$T/out" 2>&1)" '^accept '
else
	skip 'in JSON it is still JSON' 'no tests/bin/json: make helpers'
fi

# ---- nothing is done ----

# traces: whatever a container of ours could leave behind, and the bundle
traces()
{
	find "$B" "$ROOT" 2>/dev/null | sort | while read -r f; do
		stat -c '%n %f %u:%g %s %Y %Z' "$f"
	done
	cgroups
	grep -F "$T" /proc/self/mountinfo
	find /run/ocirt -maxdepth 1 -name "$ID*" 2>/dev/null
}

rm -rf "$B"
mkdir -p "$B/rootfs"
cp tests/data/plan-process.json "$B/config.json"
before=$(traces)
o plan -b "$B" "$ID" >"$T/asroot"
is 'plan leaves the bundle, the state root, cgroups and mounts alone' \
	"$(traces)" "$before"
check 'plan makes no state root' test ! -e "$ROOT"
if strace -o "$T/strace" true 2>/dev/null; then
	strace -f -o "$T/strace" "$OCIRT" plan -b "$B" >/dev/null
	calls=$(sed 's/^[0-9]* *//; s/(.*//' "$T/strace" | sort -u)
	unlike 'plan makes no system call that changes the machine' "$calls" \
		'^(u?mount|u?mount2|f?chmod|f?chown|mk|unlink|rename|link|symlink|clone|fork|vfork|unshare|setns|kill|chroot|pivot|prctl|setuid|setgid|socket|fsopen|open_tree|move_mount)'
	is 'plan opens nothing to write to it' \
		"$(grep -E 'O_(WRONLY|RDWR|CREAT)' "$T/strace" |
			grep -v '"/dev/null"')" ''
	is 'plan writes once, to stdout' \
		"$(sed -n 's/^[0-9]* *\(write([0-9]*\).*/\1/p' "$T/strace")" \
		'write(1'
else
	skip 'plan makes no system call that changes the machine' \
		'no strace that works here'
fi

# ---- an ordinary user ----

# as_user COMMAND...: as uid and gid 65534, without groups
as_user()
{
	if setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null
	then
		setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
	else
		prog=$1
		shift
		"$BUSYBOX" start-stop-daemon -S -q -p /nonexistent \
			-c 65534:65534 -x "$prog" -- "$@"
	fi
}

if [ "$(id -u)" != 0 ]; then
	ok 'all of this was done by an ordinary user'
elif [ "$(as_user id -u 2>/dev/null)" = 65534 ]; then
	chmod 777 "$B"
	before=$(traces)
	is 'an ordinary user sees the same plan' \
		"$(cd / && as_user "$OCIRT" plan -b "$B" "$ID" 2>&1)" \
		"$(cat "$T/asroot")"
	is 'and leaves as little behind' "$(traces)" "$before"
	chmod 600 "$B/config.json"
	is 'a config that the user may not read is refused' \
		"$(as_user "$OCIRT" plan -b "$B" 2>&1)" \
		"ocirt: plan: read $B/config.json: permission denied"
else
	skip 'an ordinary user sees the same plan' 'no way to become one'
fi

done_testing
