#!/bin/sh
# The command line: how options and arguments are taken apart, what help, the
# man page, the completion, version, features and spec print, how errors and
# the log look. Needs no root.
# shellcheck disable=SC2046,SC2013,SC2016,SC1003
. tests/lib.sh

mkdir -m 700 "$ROOT"
lf='
'
esc=$(printf '\033')
tab=$(printf '\t')

# run ARGS...: ocirt; rc, $T/out and $T/err are what came of it
run()
{
	"$OCIRT" "$@" >"$T/out" 2>"$T/err" </dev/null
	rc=$?
	out=$(cat "$T/out")
	err=$(cat "$T/err")
}

lines()
{
	wc -l <"$1" | tr -d ' '
}

# json_ok FILE: one JSON value. Strings become S, other values V; what is left
# are brackets, which fold up from the inside.
json_ok()
{
	tr -d '\n\t' <"$1" | sed -E -e \
		's/"([^"\\]|\\(["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/S/g' -e 's/ //g' \
		-e 's/-?(0|[1-9][0-9]*)(\.[0-9]+)?|true|false|null/V/g' -e ':a' \
		-e 's/\[\]|\{\}/V/g' -e 's/\[([SV],)*[SV]\]/V/g' \
		-e 's/\{(S:[SV],)*S:[SV]\}/V/g' -e 'ta' | grep -qx V
}

# fails 'sentence' STATUS PATTERN ARGS...: this status, one line on stderr
# that matches, nothing that could drive a terminal
fails()
{
	what=$1 want=$2 pattern=$3
	shift 3
	run "$@"
	if [ "$rc" = "$want" ] && [ "$(lines "$T/err")" = 1 ] &&
		printf '%s\n' "$err" | grep -Eq -- "$pattern"; then
		ok "$what"
	else
		not_ok "$what"
		diag "$* exited with $rc (want $want), printed: $err"
	fi
}

# ---- the parser ----

for how in '--bundle D' '--bundle=D' '-bundle D' '-bundle=D' '-b D' '-b=D' \
	'--b D'; do
	mkdir "$T/D"
	# shellcheck disable=SC2086
	run spec $(printf '%s' "$how" | sed "s|D|$T/D|")
	check "spec takes $how" test -s "$T/D/config.json"
	rm -r "$T/D"
done

for how in '--root R' '--root=R' '-root R' '-root=R'; do
	# shellcheck disable=SC2086
	run $(printf '%s' "$how" | sed "s|R|$ROOT|") list
	is "C1 OP-global: the global $how stands before the command" "$rc" 0
done

header='^ID +PID +STATUS +BUNDLE +CREATED +OWNER$'
for v in true TRUE True t T 1; do
	run --root "$ROOT" list --quiet=$v
	is "C2: --quiet=$v is true" "$rc:$out" 0:
done
for v in false FALSE False f F 0; do
	run --root "$ROOT" list -q=$v
	like "C2: -q=$v is false" "$rc $out" "^0 ID "
done
like 'the list has its columns' "$out" "$header"
run --root "$ROOT" list --quiet=false -q
is 'the last of several booleans counts' "$rc:$out" 0:
fails 'a boolean of another word is an error' 1 \
	'invalid boolean value "maybe" for -quiet' --root "$ROOT" list --quiet=maybe
run --root "$ROOT" list --quiet false
is 'a boolean takes no word of its own: list false has too many' "$rc" 1

for v in true false auto '' 1; do
	run --rootless "$v" --root "$ROOT" list
	is "C2 OP-global: --rootless takes '$v'" "$rc" 0
	run --rootless="$v" --root "$ROOT" list
	is "--rootless= takes '$v'" "$rc" 0
done
fails '--rootless takes no other word' 1 rootless --rootless x --root "$ROOT" list
for v in '--debug' '--criu X' '--cgroup-manager cgroupfs' \
	'--cgroup-manager=cgroupfs' '--cgroup-manager disabled' \
	'--cgroup-manager=systemd' '--systemd-cgroup'; do
	# shellcheck disable=SC2086
	run $v --root "$ROOT" list
	is "OP-global: the global $v is accepted" "$rc" 0
done

fails 'exec: options end at the id' 255 'does not exist' \
	--root "$ROOT" exec nosuch --bogus
fails 'C4: kill: options end at the id' 1 'unknown signal "-9"' \
	--root "$ROOT" kill nosuch -9
fails 'OP-global: --cgroup-manager takes no other word' 1 \
	"'x' is not cgroupfs, systemd or disabled" --cgroup-manager x list
fails 'ps: options end at the id' 1 'does not exist' \
	--root "$ROOT" ps nosuch -aux
run --root "$ROOT" delete nosuch --force
is 'C4: delete takes options behind the id' "$rc:$out$err" 0:
run --root "$ROOT" delete --force -- -x
is 'C5: -- ends the options' "$rc:$out$err" 0:
run --root "$ROOT" delete --force -x
is 'without -- it is an option' "$rc" 1

for c in create run start pause resume delete state; do
	run "$c"
	like "C6: $c without an id shows its usage" "$out" '^Incorrect Usage\.'
	is "C6: $c without an id exits 1 and says why in one line" \
		"$rc $(lines "$T/err") $err" \
		"1 1 ocirt: \"$c\" requires exactly 1 argument(s)"
	fails "$c of two ids exits 1" 1 'requires exactly 1 argument' "$c" a b
done
for c in exec kill ps; do
	run "$c"
	like "$c without an id shows its usage" "$out" '^Incorrect Usage\.'
	is "$c without an id exits 1 and says why in one line" \
		"$rc $(lines "$T/err") $err" \
		"1 1 ocirt: \"$c\" requires a minimum of 1 argument(s)"
done
fails 'kill takes two arguments at most' 1 'maximum of 2 argument' kill a b c
for c in list spec features version; do
	fails "$c takes no argument" 1 "\"$c\" requires" "$c" x
done
run --root "$ROOT" frobnicate
is 'C6: an unknown command exits 3' "$rc:$out:$err" \
	"3::ocirt: No help topic for 'frobnicate'"
run help frobnicate
is 'help of an unknown command exits 3' "$rc" 3
fails 'an unknown global option' 1 'flag provided but not defined: -bogus$' \
	--bogus list
fails 'an unknown option with a value' 1 'not defined: -bogus$' \
	--bogus=1 list
fails 'an option of another command' 1 'not defined: -force$' list --force
fails 'an unknown letter' 1 'not defined: -Z$' list -Z
like 'C6: an unknown option shows the usage' "$out" '^Incorrect Usage\.'
fails 'C7: a global option without its argument' 1 'flag needs an argument: -root$' \
	--root
fails "C7: a command's option without its argument" 1 \
	'flag needs an argument: -bundle$' create --bundle
fails 'C7: a letter without its argument' 1 'flag needs an argument: -b$' run -b

# ---- help, man page, completion: the same options in all ----

run
is 'no command at all: help' "$rc:${out%%"$lf"*}" 0:NAME:
run --help
is 'C8 OP-help: --help exits 0' "$rc:$err" 0:
all=$(sed -n '/^COMMANDS/,/^$/s/^   \([a-z]*\) .*/\1/p' "$T/out")
for c in create run start exec kill pause resume checkpoint restore \
	delete state list ps plan \
	spec features version help; do
	like "OP-help: help lists $c" "$out" "^   $c "
done

# What callers send (option=argument); - is a boolean.
cat >"$T/options" <<'END'
global root=/x log=/dev/null log-format=text debug systemd-cgroup rootless=auto criu=x cgroup-manager=cgroupfs version help
checkpoint image-path=x work-path=x parent-path=x pre-dump leave-running tcp-established tcp-skip-in-flight ext-unix-sk shell-job file-locks link-remap auto-dedup lazy-pages status-fd=3 page-server=x:1 manage-cgroups-mode=soft empty-ns=network
restore bundle=x image-path=x work-path=x console-socket=x pid-file=x detach no-subreaper no-pivot tcp-established ext-unix-sk shell-job file-locks auto-dedup lazy-pages manage-cgroups-mode=soft empty-ns=network lsm-profile=x lsm-mount-context=x
create bundle=x console-socket=x pidfd-socket=x pid-file=x no-pivot no-new-keyring preserve-fds=0
run bundle=x console-socket=x pidfd-socket=x pid-file=x no-pivot no-new-keyring preserve-fds=0 detach keep no-subreaper
exec console-socket=x pidfd-socket=x cwd=/ env=A=b tty user=0 additional-gids=1 process=x detach pid-file=x process-label=x apparmor=x no-new-privs cap=CAP_KILL preserve-fds=0 cgroup=x ignore-paused no-subreaper
kill all
delete force
list format=json quiet
ps format=json
plan bundle=x format=text
spec bundle=x rootless
END
"$OCIRT" help man >"$T/man"
"$OCIRT" help bash >"$T/bash"
check 'the man page is one' grep -q '^\.TH OCIRT 8' "$T/man"
check 'the completion is one' grep -q '^complete .* ocirt$' "$T/bash"
for c in global $all; do
	if [ "$c" = global ]; then
		"$OCIRT" help >"$T/help"
		sed -n '/^\.SH GLOBAL/,/^\.SH COMMANDS/p' "$T/man"
		sed -n "/^$tab\*) words=/p" "$T/bash"
	else
		"$OCIRT" help "$c" >"$T/help"
		# That of checkpoint says whether it works.
		helped=0
		[ "$c" != checkpoint ] || criu check >/dev/null 2>&1 || helped=1
		for h in --help -h; do
			run "$c" $h
			is "C8 OP-help: $c $h exits $helped and is help $c" \
				"$rc:$out" "$helped:$(cat "$T/help")"
		done >&3
		sed -n "/^\.SS $c /,/^\.S/p" "$T/man"
		sed -n "/^$tab$c) words=/p" "$T/bash"
	fi 3>&1 >"$T/both"
	miss=
	want=$(sed -n "s/^$c //p" "$T/options" | tr ' ' '\n' | sed 's/=.*//')
	got=$(sed -n 's/^   --\([a-z-]*\).*/\1/p' "$T/help")
	for w in $want; do
		printf '%s\n' "$got" | grep -qx -- "$w" || miss="$miss help:$w"
	done
	for w in $got; do
		[ "$w" = help ] && continue
		m=$(printf '%s' "$w" | sed 's/-/\\\\-/g')
		grep -q -- "^\.B .*\\\\-\\\\-$m\( \|,\|\$\)" "$T/both" ||
			miss="$miss man:$w"
		grep -q -- "words=.*--${w}[ \"]" "$T/both" || miss="$miss bash:$w"
	done
	is "$c: help, man page and completion have the same options" "$miss" ''
	check "$c: help says --help" grep -q -- '^   --help, -h ' "$T/help"
	[ "$c" = global ] && continue
	for w in $(sed -n "s/^$c //p" "$T/options"); do
		case $w in
		*=*) run "$c" "--${w%%=*}" "${w#*=}" --help ;;
		*) run "$c" "--$w" --help ;;
		esac
		[ "$rc" = "$helped" ] || miss="$miss $w"
	done
	is "$c takes the options that callers send" "$miss" ''
done
for p in \
	'kill -a' 'delete -f' 'list -q' 'list -f=json' 'ps -f=json' 'run -d' \
	'exec -d' 'exec -t' 'exec -e=A=b' 'exec -u=1' 'exec -g=1' 'exec -p=x' \
	'exec -c=CAP_KILL' 'create -b=x'; do
	# shellcheck disable=SC2086
	run $p -h
	is "$p is known" "$rc" 0
done

if command -v bash >/dev/null 2>&1; then
	check 'bash accepts the completion' bash -n "$T/bash"
	got=$(bash -c '. "$1"; COMP_WORDS=(ocirt --debug delete --f)
		COMP_CWORD=3; _ocirt; echo "${COMPREPLY[@]}"' - "$T/bash")
	is "it completes a command's option" "$got" --force
	got=$(bash -c '. "$1"; COMP_WORDS=(ocirt feat)
		COMP_CWORD=1; _ocirt; echo "${COMPREPLY[@]}"' - "$T/bash")
	is 'it completes a command' "$got" features
else
	skip 'bash accepts the completion' 'no bash here'
	skip "it completes a command's option" 'no bash here'
	skip 'it completes a command' 'no bash here'
fi
if command -v groff >/dev/null 2>&1; then
	groff -man -Tascii -ww -z "$T/man" >"$T/out" 2>&1
	is 'groff has nothing to say about the man page' "$(cat "$T/out")" ''
else
	skip 'groff has nothing to say about the man page' 'no groff here'
fi
if command -v man >/dev/null 2>&1 && command -v groff >/dev/null 2>&1; then
	cp "$T/man" "$T/ocirt.8"
	like 'man shows it' "$(MANWIDTH=80 man -l "$T/ocirt.8" 2>&1 |
		sed 's/.\x08//g')" '^ *-?-?delete|delete ID'
else
	skip 'man shows it' 'no man here'
fi
run help steps
check 'help steps tells the steps and why' \
	sh -c 'grep -q "^  pivot  *[a-z]" "$1" && grep -q "^  execve" "$1"' - "$T/out"

run help cgroup
like 'help cgroup has the files of both kinds' "$out" \
	'^memory.limit  *memory.limit_in_bytes  *memory.max$'
is 'a row for each resource' "$(printf '%s\n' "$out" | wc -l | tr -d ' ')" \
	"$(($(sed -n '/^static const struct limit_knob/,/^};/p' ocirt.c |
		grep -c '^	{ "') + 2))"

# ---- version, features, spec ----

run --version
is 'OP-version: --version has three lines that engines read' \
	"$rc:$(sed 's/ [^ ]*$//' "$T/out" | head -n 3 | tr '\n' ,)" \
	'0:ocirt version,commit:,spec:,'
like 'the spec is 1.3.0' "$out" '^spec: 1\.3\.0$'
same=$out
run -v
is '-v is the same' "$rc:$out" "0:$same"
run version
is 'version is the same' "$rc:$out" "0:$same"
ln -s "$OCIRT" "$T/runc"
ln -s "$OCIRT" "$T/runcx"
is 'called as runc it is runc' "$("$T/runc" --version)" \
	"$(printf '%s\n' "$same" | sed '1s/ocirt/runc/')"
is 'called by any other name it is ocirt' "$("$T/runcx" --version)" "$same"

run features
is 'OP-features: features exits 0' "$rc:$err" 0:
check 'features is JSON' json_ok "$T/out"
check 'features knows 1.3.0' grep -q '"ociVersionMax": "1.3.0"' "$T/out"
options=$(sed -n '/"mountOptions"/,/]/s/^ *"\([^"]*\)",*$/\1/p' "$T/out")
for w in ro rw nosuid rbind rprivate noexec; do
	like "features lists the mount option $w" "$options" "^$w\$"
done
mkdir "$T/D"
"$OCIRT" spec -b "$T/D"
mkdir "$T/D/rootfs"
# option WORD: plan of a bind mount with it
option()
{
	sed "s|\"mounts\": \[|&{\"destination\":\"/x\",\"type\":\"bind\",\
\"source\":\"/\",\"options\":[\"rbind\",\"$1\"]},|" "$T/D/config.json" \
		>"$T/E/config.json"
	"$OCIRT" plan -b "$T/E" >/dev/null 2>"$T/err"
}
mkdir -p "$T/E/rootfs"
if option rwx; then
	not_ok 'plan refuses an option that features does not list'
else
	ok 'plan refuses an option that features does not list'
fi
miss=
for w in $options; do
	option "$w" || miss="$miss $w"
done
is 'plan accepts every mount option of features' "$miss" ''

cgns=
if [ "$(host_kind)" = v2 ]; then
	cgns=',{"type":"cgroup"}'
fi
caps='["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"]'
is 'OP-spec: spec writes the default of runc' "$(tr -d '\n\t ' <"$T/D/config.json")" \
	"$(tr -d '\n\t ' <<END
{"ociVersion":"1.3.0","process":{"terminal":true,"user":{"uid":0,"gid":0},
"args":["sh"],
"env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
"TERM=xterm"],"cwd":"/","capabilities":{"bounding":$caps,"effective":$caps,
"permitted":$caps},
"rlimits":[{"type":"RLIMIT_NOFILE","hard":1024,"soft":1024}],
"noNewPrivileges":true},"root":{"path":"rootfs","readonly":true},
"hostname":"runc","mounts":[
{"destination":"/proc","type":"proc","source":"proc"},
{"destination":"/dev","type":"tmpfs","source":"tmpfs",
"options":["nosuid","strictatime","mode=755","size=65536k"]},
{"destination":"/dev/pts","type":"devpts","source":"devpts",
"options":["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620","gid=5"]},
{"destination":"/dev/shm","type":"tmpfs","source":"shm",
"options":["nosuid","noexec","nodev","mode=1777","size=65536k"]},
{"destination":"/dev/mqueue","type":"mqueue","source":"mqueue",
"options":["nosuid","noexec","nodev"]},
{"destination":"/sys","type":"sysfs","source":"sysfs",
"options":["nosuid","noexec","nodev","ro"]},
{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup",
"options":["nosuid","noexec","nodev","relatime","ro"]}],
"linux":{"resources":{"devices":[{"allow":false,"access":"rwm"}]},
"namespaces":[{"type":"pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"},
{"type":"mount"}$cgns],
"maskedPaths":["/proc/acpi","/proc/asound","/proc/kcore","/proc/keys",
"/proc/latency_stats","/proc/timer_list","/proc/timer_stats",
"/proc/sched_debug","/sys/firmware","/proc/scsi"],
"readonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys",
"/proc/sysrq-trigger"]}}
END
)"
check 'what spec writes is JSON' json_ok "$T/D/config.json"
echo mine >"$T/D/config.json"
fails 'spec refuses to overwrite' 1 'config.json exists' spec -b "$T/D"
is 'OP-spec: what was there stays' "$(cat "$T/D/config.json")" mine
rm "$T/D/config.json"
ln -s "$T/canary" "$T/D/config.json"
fails 'spec does not follow a symlink' 1 'config.json exists' spec -b "$T/D"
check 'nothing is written behind it' test ! -e "$T/canary"
fails 'spec says where it cannot write' 1 'no such file or directory' \
	spec -b "$T/none"
(cd "$T/E" && rm config.json && "$OCIRT" spec)
check 'spec without -b writes here' test -s "$T/E/config.json"

# ---- the log ----

# logged 'sentence': one JSON object with the members engines read
logged()
{
	if [ "$(lines "$T/log")" = 1 ] && json_ok "$T/log" && grep -Eq \
'^\{"level":"error","msg":".+","time":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z"\}$' \
		"$T/log" && [ "$(lines "$T/err")" = 1 ]; then
		ok "$1"
	else
		not_ok "$1"
		diag "log: $(cat "$T/log")"
		diag "stderr: $(cat "$T/err")"
	fi
	rm -f "$T/log"
}

for args in 'state nosuch' 'list --bogus' '--bogus' 'run' 'frobnicate' \
	"create -b $T/none x" 'exec nosuch x' 'kill nosuch FOO' '--root / list' \
	'--rootless=x list' 'delete nosuch' "--root $T/none list" 'run --bundle' \
	"run -b $T x" 'exec' 'start ..'; do
	# shellcheck disable=SC2086
	run --root "$ROOT" --log "$T/log" --log-format json $args
	logged "json log: one object when \"$args\" fails"
done
run --log "$T/log" --log-format=json --root "$ROOT" state nosuch
like 'X2: the log says what stderr says' "$(cat "$T/log")" \
	"\"msg\":\"${err#ocirt: }\""
run --log "$T/log" --log-format=json --root "$ROOT" state nosuch
is 'the log is appended to' "$(lines "$T/log")" 2
rm "$T/log"
run --log "$T/log" --root "$ROOT" state nosuch
like 'the log is text unless told' "$(cat "$T/log")" \
	'^time="[0-9-]{10}T[0-9:]{8}Z" level=error msg="state nosuch: .*"$'
rm "$T/log"
run --log "$T/log" --log-format json --root "$ROOT" list
is 'nothing is logged when nothing fails' "$rc:$(cat "$T/log")" 0:
run --log "$T/log" --log-format xml --root "$ROOT" list
is 'another format is an error' "$rc:$err" '1:ocirt: invalid log-format: xml'
fails 'a log that cannot be opened is an error' 1 'no such file or directory' \
	--log "$T/none/log" --root "$ROOT" list
rm -f "$T/log"
(umask 077 && "$OCIRT" --log "$T/log" --root "$ROOT" list >/dev/null)
ln -sf "$T/log" "$T/link"
run --log "$T/link" --log-format json --root "$ROOT" state nosuch
logged 'a log behind a symlink is written'

# ---- bytes that are not words ----

bad=$(printf '\377\376')
u9b=$(printf '\302\233')
csi=${u9b}2J
long=$(printf '%05000d' 0)
i=0
for word in "a${lf}b" "${esc}]0;x${esc}[2J" 'a%n%s%n%p' "$bad" "$csi" \
	"\"}${lf}{\"level\":\"fatal\",\"msg\":\"x\"}" 'a\u0000"\' "$long"; do
	i=$((i + 1))
	for where in id command option letter value format signal bundle; do
		set -- --root "$ROOT" --log "$T/log" --log-format json
		case $where in
		id) set -- "$@" state "$word" ;;
		command) set -- "$@" "$word" ;;
		option) set -- "$@" list "--$word" ;;
		letter) set -- "$@" list "-$word" ;;
		value) set -- "$@" list "--quiet=$word" ;;
		format) set -- "$@" list --format "$word" ;;
		signal) set -- "$@" kill x "$word" ;;
		bundle) set -- "$@" run -b "$word" x ;;
		esac
		run "$@"
		case $rc in
		1 | 3) ok "hostile word $i as $where is an error" ;;
		*) not_ok "hostile word $i as $where exits with $rc" ;;
		esac
		is "hostile word $i as $where: no control byte on stderr" \
			"$(LC_ALL=C tr -d '\12\40-\176\200-\377' <"$T/err" |
				wc -c | tr -d ' ')" 0
		# Valid UTF-8 may stand in the log as it is.
		is "hostile word $i as $where: the log is valid UTF-8" \
			"$(LC_ALL=C sed "s/$u9b//g" "$T/log" | LC_ALL=C tr -d \
				'\12\40-\176' | wc -c | tr -d ' ')" 0
		logged "hostile word $i as $where: one line, one object"
	done
done
run --root "$ROOT" state "$csi"
is 'no 8-bit control sequence on stderr' \
	"$(LC_ALL=C tr -dc '\200-\237' <"$T/err" | wc -c | tr -d ' ')" 0

# ---- --root, closed descriptors, no arguments ----

for r in / '' // /.. /./ /../..; do
	fails "--root '$r' is refused" 1 'should not be set to' --root "$r" list
done
fails 'a root given and missing is an error' 1 'no such file' \
	--root "$T/none" list
(cd "$T" && "$OCIRT" --root state list >out)
like 'a relative root is one' "$(cat "$T/out")" "$header"

"$OCIRT" --root "$ROOT" --log "$T/log" --log-format json state nosuch \
	<&- >&- 2>&-
is 'closed descriptors: the status is kept' $? 1
: >"$T/err"
echo x >"$T/err"
logged 'closed descriptors: nothing but the object is in the log'
rm -f "$T/E/config.json"
"$OCIRT" spec -b "$T/E" <&- >&- 2>&-
check 'closed descriptors: spec writes the file' json_ok "$T/E/config.json"
if [ -c /dev/full ]; then
	"$OCIRT" features >/dev/full 2>"$T/err"
	is 'a full disk behind stdout is an error' "$? $(lines "$T/err")" '1 1'
else
	skip 'a full disk behind stdout is an error' 'no /dev/full here'
fi
if [ -x tests/bin/argc0 ]; then
	tests/bin/argc0 "$OCIRT" >"$T/out" 2>"$T/err" </dev/null
	rc=$?
	check "without any argument it does not crash (it exits with $rc)" \
		test "$rc" -lt 125
else
	not_ok 'without any argument it does not crash: no tests/bin/argc0'
fi

# ---- ids ----

mkdir -p "$T/x/inner" "$ROOT/keep"
echo canary >"$T/x/inner/file"
id256=$(printf '%0256d' 0)
for c in state start kill delete 'delete -f' exec ps "create -b $T/E" \
	"run -b $T/E" "plan -b $T/E"; do
	miss=
	for id in . .. ../x a/b /abs "a${lf}b" "$id256" "$(printf '\303\244')" \
		'a%n' 'a b' '../state/keep' './keep' '*'; do
		case $c in
		exec) set -- "$id" true ;;
		*) set -- "$id" ;;
		esac
		# shellcheck disable=SC2086
		run --root "$ROOT" $c "$@"
		case "$rc:$err" in
		1:*'invalid container ID format' | \
			255:*'invalid container ID format') ;;
		*) miss="$miss '$id' gives $rc: $err" ;;
		esac
	done
	is "L4: $c: an id that is no name is refused" "$miss" ''
	case $c in
	exec) set -- '' true ;;
	*) set -- '' ;;
	esac
	# shellcheck disable=SC2086
	run --root "$ROOT" $c "$@"
	like "L4: $c: an empty id is refused" "$rc $err" \
		'^(1|255) .*container id cannot be empty$'
done
is 'what lies beside the root is untouched' "$(cat "$T/x/inner/file")" canary
check 'what lies in it too' test -d "$ROOT/keep"
rmdir "$ROOT/keep"
for id in a A.b-c_d+e 0 -x .hidden "$(printf '%0255d' 0)"; do
	run --root "$ROOT" state -- "$id"
	like "L4: the id $id is one" "$rc $err" '^1 .*container does not exist$'
done

# ---- signals ----

miss=
for s in HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM \
	TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF \
	WINCH IO POLL PWR SYS RTMIN RTMIN+1 RTMIN+15 RTMAX RTMAX-1 SIGTERM \
	SIGRTMIN+3 term sigkill Hup 1 9 15 64; do
	run --root "$ROOT" kill nosuch "$s"
	case $err in
	*'container does not exist') ;;
	*) miss="$miss $s: $err" ;;
	esac
done
is 'OP-kill Z8: kill knows the names and numbers of signals' "$miss" ''
miss=
for s in FOO SIG '' 65 -1 99999999999 1x 0x9 SIGSIGTERM RTMIN+99 ' 9' 9.0; do
	run --root "$ROOT" kill -- nosuch "$s"
	[ "$rc:$err" = "1:ocirt: kill nosuch: unknown signal \"$s\"" ] ||
		miss="$miss '$s': $rc $err"
done
is 'and what is none' "$miss" ''

done_testing
