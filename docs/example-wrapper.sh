#!/bin/sh
# Wraps a command-line tool for abbado's adapter `command`:
#   {"command": ["…/example-wrapper.sh", "{session_id}", "{task}"]}
# The tool here is `wc`, counting the words of the task: replace it with your own.
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

# send EVENT [FIELDS]: sends a hook to abbado. The answer is not needed here.
send() {
    printf '{"hook_event_name":"%s","session_id":%s%s}' \
        "$1" "$(json "$session")" "${2:+,$2}" | "$ABBADO_HOOK" >/dev/null
}

# On continue abbado passes the session that was reported before; a first start has none.
if [ -z "$session" ]; then
    session="session-$ABBADO_RUN_ID"
    source=startup
else
    source=resume
fi
send SessionStart "\"source\":\"$source\""
send UserPromptSubmit "\"prompt\":$(json "$task")"

call="\"tool_name\":\"Count\",\"tool_use_id\":\"count-$$\",\"tool_input\":{\"text\":$(json "$task")}"
send PreToolUse "$call"
if words=$(printf '%s\n' "$task" | wc -w | sed 's/ //g'); then
    printf '%s\n' "$words" >>words.txt
    send PostToolUse "$call,\"tool_response\":{\"words\":$(json "$words")}"
else
    send PostToolUseFailure "$call,\"error\":\"wc failed\""
    send StopFailure '"last_assistant_message":"The words could not be counted."'
    exit 1
fi

send Stop "\"last_assistant_message\":$(json "The task has $words words.")"
send SessionEnd '"reason":"other"'
