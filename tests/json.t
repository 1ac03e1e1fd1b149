#!/bin/sh
# json.t - reading JSON: what is JSON, what is not, and what a config may hold
#
# Covers the room JSON and how SPEC takes its values: RFC 8259 by the validator
# alone, depth, size, names that come twice, exact integers, the place and path
# in a message, and time on hostile input. Two bodies of files:
#   tests/corpus/      our own: good-*.json is a config that is taken, and
#                      bad-*.json is refused with the message in bad.expected,
#                      by the validator alone ("json") or as a config ("config")
#   JSONTestSuite      where it is: ../shared/json-test-suite, $JSON_TEST_SUITE
#
# Needs: tests/bin/json (make helpers). No root.
# shellcheck disable=SC2317
LC_ALL=C
export LC_ALL
. tests/lib.sh

JSON=$TOP/tests/bin/json
[ -x "$JSON" ] || skip_all "needs tests/bin/json: make helpers"
TAB=$(printf '\t')

# message MODE FILE: the refusal without the names of files; "accepted"
message()
{
	"$JSON" "$1" "$2" | sed "s/^accept .*/accepted/
		s/^refuse .*[.]json: [^ ]*[.]json:\([0-9]\)/\1/
		s/^refuse .*[.]json: [^ ]*[.]json: //"
}

# verdicts MODE FILE...: "accept NAME" or "refuse NAME" for each, sorted
verdicts()
{
	"$JSON" "$@" | sed 's,^\([a-z]* \)\./,\1,; s/: .*//' | sort
}

# only WORD MODE FILE...: the verdict on each is WORD; those of another are shown
only()
{
	want=$1
	shift
	verdicts "$@" >"$T/verdicts"
	[ "$(grep -c . "$T/verdicts")" = $(($# - 1)) ] || return 1
	! grep -v "^$want " "$T/verdicts"
}

# ---- our own files ----

for f in tests/corpus/good-*.json; do
	name=${f##*/}
	is "$name is JSON" "$(message validate "$f")" accepted
	is "$name is a config" "$(message config "$f")" accepted
done

while IFS=$TAB read -r name how text; do
	f=tests/corpus/$name
	case $how in
	json)
		is "B3: $name is no JSON" "$(message validate "$f")" "$text"
		;;
	*)
		is "$name is JSON" "$(message validate "$f")" accepted
		;;
	esac
	is "$name is no config: $text" "$(message config "$f")" "$text"
done <tests/corpus/bad.expected

bad_files()
{
	(cd tests/corpus && ls bad-*.json)
}
is 'every bad file has its message, and every message its file' \
	"$(cut -f1 tests/corpus/bad.expected | sort)" "$(bad_files | sort)"

# ---- what is too large for a file here ----

# spaces N: as many
spaces()
{
	dd if=/dev/zero bs=65536 count=$(($1 / 65536 + 1)) 2>/dev/null |
		head -c "$1" | tr '\0' ' '
}

# numbers N: an array of them
numbers()
{
	printf '[1'
	yes ,1 | head -n $(($1 - 1))
	printf ']'
}

{ spaces 16777215; printf 1; } >"$T/size.json"
is 'B13: 16 MiB are taken' "$(message validate "$T/size.json")" accepted
printf ' ' >>"$T/size.json"
is 'one byte more is refused' "$(message validate "$T/size.json")" \
	'larger than 16 MiB'
rm "$T/size.json"
numbers 999999 >"$T/values.json"
is 'a million values are taken' "$(message validate "$T/values.json")" accepted
numbers 1000000 >"$T/values.json"
is 'one value more is refused' "$(message validate "$T/values.json")" \
	'more than 1000000 values'
rm "$T/values.json"
awk 'BEGIN { printf "{\""; for (i = 0; i < 300000; i++) printf "x"
	print "\": [nul]}" }' >"$T/key.json"
is 'behind a long name the column is right' \
	"$(message validate "$T/key.json")" \
	"1:300007: expected a value, found 'n'"

# ---- time ----

# An emulated CPU is several times as slow at this as at what is measured for
# the limit.
slow=1
grep -q TCG /proc/cpuinfo 2>/dev/null && slow=5

# in_time KIND VERDICT: 300 kB of it take less than the limit
in_time()
{
	"$JSON" time "$1" >"$T/time" || return 1
	cat "$T/time"
	awk -v verdict="$2" -v slow="$slow" \
		'$1 == "limit" { limit = $3 * slow; next }
		{ good = $4 == verdict && $6 < limit } END { exit !good }' \
		"$T/time"
}

for kind in arrays objects mixed siblings strings keys same-start; do
	check "300 kB of $kind take less than 100 ms" in_time $kind accept
done
check '300 kB of nesting without end take less than 100 ms' in_time deep refuse
for kind in env groups annotations mounts masks; do
	check "a config with 300 kB of $kind takes less than 100 ms" \
		in_time $kind accept
done

# ---- JSONTestSuite ----

SUITE=${JSON_TEST_SUITE:-../shared/json-test-suite}
[ -d "$SUITE/test_parsing" ] || {
	skip 'JSONTestSuite' "no $SUITE: set JSON_TEST_SUITE to its folder"
	done_testing
}
cd "$SUITE/test_parsing" || exit 1

is 'the suite has the files that the numbers below are about' \
	"$(echo ./y_* | wc -w) $(echo ./n_* | wc -w) $(echo ./i_* | wc -w)" \
	'95 188 35'

verdicts validate ./y_* | grep -v '^accept ' >"$T/y"
is 'of y_ the validator refuses two with a name twice, two with \u0000' \
	"$(cat "$T/y")" 'refuse y_object_duplicated_key.json
refuse y_object_duplicated_key_and_value.json
refuse y_object_escaped_null_in_key.json
refuse y_string_null_escape.json'
is 'of y_ the validator takes 91' \
	"$(verdicts validate ./y_* | grep -c '^accept ')" 91
is 'an escaped backslash before u0000 is no NUL' \
	"$(message validate ./y_string_backslash_and_u_escaped_zero.json)" \
	accepted

check 'all of n_ is no JSON' only refuse validate ./n_*
check 'all of n_ is no config' only refuse config ./n_*
check 'all of y_ is no config' only refuse config ./y_*
check 'all of i_ is no config' only refuse config ./i_*

for f in ./y_*; do
	case $(message validate "$f"),$(head -c 40 "$f" | tr -d ' \n\r\t') in
	accepted,"{"*) ;;
	accepted,*) message config "$f" ;;
	esac
done | sed 's/[0-9]*:[0-9]*: //; s/, .*//' | sort -u >"$T/top"
is 'of y_ what is no object is refused as a config for that' \
	"$(cat "$T/top")" 'expected an object'

is 'i_ is refused or taken as this table says' "$(verdicts validate ./i_*)" \
'accept i_number_double_huge_neg_exp.json
accept i_number_huge_exp.json
accept i_number_neg_int_huge_exp.json
accept i_number_pos_double_huge_exp.json
accept i_number_real_neg_overflow.json
accept i_number_real_pos_overflow.json
accept i_number_real_underflow.json
accept i_number_too_big_neg_int.json
accept i_number_too_big_pos_int.json
accept i_number_very_big_negative_int.json
refuse i_object_key_lone_2nd_surrogate.json
refuse i_string_1st_surrogate_but_2nd_missing.json
refuse i_string_1st_valid_surrogate_2nd_invalid.json
refuse i_string_UTF-16LE_with_BOM.json
refuse i_string_UTF-8_invalid_sequence.json
refuse i_string_UTF8_surrogate_U+D800.json
refuse i_string_incomplete_surrogate_and_escape_valid.json
refuse i_string_incomplete_surrogate_pair.json
refuse i_string_incomplete_surrogates_escape_valid.json
refuse i_string_invalid_lonely_surrogate.json
refuse i_string_invalid_surrogate.json
refuse i_string_invalid_utf-8.json
refuse i_string_inverted_surrogates_U+1D11E.json
refuse i_string_iso_latin_1.json
refuse i_string_lone_second_surrogate.json
refuse i_string_lone_utf8_continuation_byte.json
refuse i_string_not_in_unicode_range.json
refuse i_string_overlong_sequence_2_bytes.json
refuse i_string_overlong_sequence_6_bytes.json
refuse i_string_overlong_sequence_6_bytes_null.json
refuse i_string_truncated-utf-8.json
refuse i_string_utf16BE_no_BOM.json
refuse i_string_utf16LE_no_BOM.json
refuse i_structure_500_nested_arrays.json
refuse i_structure_UTF-8_BOM_empty_object.json'

cd ../test_transform || exit 1
is 'B3: of test_transform names twice, lone surrogates and \u0000 are refused' \
	"$(verdicts validate ./* | sed -n 's/^refuse //p')" \
'object_same_key_different_values.json
object_same_key_same_value.json
object_same_key_unclear_values.json
string_1_escaped_invalid_codepoint.json
string_1_invalid_codepoint.json
string_2_escaped_invalid_codepoints.json
string_2_invalid_codepoints.json
string_3_escaped_invalid_codepoints.json
string_3_invalid_codepoints.json
string_with_escaped_NULL.json'

done_testing
