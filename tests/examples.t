#!/bin/sh
# Every example is whole and runs as it is. Needs root.
# shellcheck disable=SC2119
. tests/lib.sh
need_root

count=0
for f in examples/*.json; do
	[ -e "$f" ] || continue
	count=$((count + 1))
	bundle
	cp "$f" "$B/config.json"
	timeout 20 "$OCIRT" plan -b "$B" >"$T/out" 2>"$T/err"
	is "$f: plan has nothing against it" "$?:$(cat "$T/err")" 0:
	timeout 20 "$OCIRT" --root "$ROOT" run -b "$B" "$ID" </dev/null \
		>"$T/out" 2>"$T/err"
	is "$f runs" "$?:$(cat "$T/err")" 0:
	check "$f leaves nothing" nothing_left
done
check "there are examples ($count)" test "$count" -ge 4

for f in examples/*.sh; do
	[ -e "$f" ] || continue
	like "$f says what it shows" "$(sed -n 2p "$f")" '^# Shows: '
	like "$f says what to change" "$(sed -n 3p "$f")" '^# Change: '
	# A state root of its own, that nobody else lists.
	OCIRT_ROOT=$ROOT OCIRT=$OCIRT TMPDIR=$T timeout 20 sh "$f" \
		</dev/null >"$T/out" 2>"$T/err"
	is "$f runs" "$?:$(cat "$T/err")" 0:
	like "$f greets" "$(cat "$T/out")" 'hello'
	is "$f leaves no bundle" "$(ls -d "$T"/tmp.* 2>/dev/null)" ''
	check "$f leaves nothing" nothing_left
done
OCIRT_ROOT=$ROOT OCIRT=$OCIRT TMPDIR=$T timeout 20 \
	sh examples/hello.sh id -u </dev/null >"$T/out" 2>"$T/err"
is 'hello.sh runs another program' "$?:$(cat "$T/out" "$T/err")" 0:0

done_testing
