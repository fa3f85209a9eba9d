#!/bin/sh
# Wraps a command line tool for abbado's adapter `command`:
#   {"command": ["…/example-wrapper.sh", "{session_id}", "{task}"]}
# The tool here is `wc`, on a file with the task: put your own in its place.
set -u
session=$1
task=$2

# Text as a JSON string.
json() {
    printf '%s' "$1" | awk '
        BEGIN { printf "\"" }
        NR > 1 { printf "%s", "\\n" }
        {
            gsub(/\\/, "\\\\&")
            gsub(/"/, "\\\"")
            gsub(/\t/, "\\t")
            gsub(/\r/, "\\r")
            printf "%s", $0
        }
        END { printf "\"" }'
}

# tell EVENT [FIELDS]: hands a hook to abbado. Its answer is not needed here.
tell() {
    printf '{"hook_event_name":"%s","session_id":%s%s}' \
        "$1" "$(json "$session")" "${2:+,$2}" | "$ABBADO_HOOK" >/dev/null
}

# abbado gives the session back that was told before; a first start has none.
if [ -z "$session" ]; then
    session="session-$ABBADO_RUN_ID"
    source=startup
else
    source=resume
fi
tell SessionStart "\"source\":\"$source\""
tell UserPromptSubmit "\"prompt\":$(json "$task")"

call="\"tool_name\":\"Count\",\"tool_use_id\":\"count-$$\",\"tool_input\":{\"text\":$(json "$task")}"
tell PreToolUse "$call"
if words=$(printf '%s\n' "$task" | wc -w | sed 's/ //g'); then
    printf '%s\n' "$words" >>words.txt
    tell PostToolUse "$call,\"tool_response\":{\"words\":$(json "$words")}"
else
    tell PostToolUseFailure "$call,\"error\":\"wc failed\""
    tell StopFailure '"last_assistant_message":"The words could not be counted."'
    exit 1
fi

tell Stop "\"last_assistant_message\":$(json "The task has $words words.")"
tell SessionEnd '"reason":"other"'
