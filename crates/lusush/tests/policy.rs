//! The machine's policy, which no user can weaken: tried in a mount namespace of its own, with its own `/etc`.
#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod support;

use support::machine::in_own_etc;

/// Root's rules over the real `/etc`, then a user's day. Each line of output is a command, its exit status and what it
/// said first.
const DAY: &str = r#"
printf '%s' "$RULES" > /etc/lusush/policy.toml
mkdir -p "$LUSUSH_HOME/config"
printf '%s' "$USER_RULES" > "$LUSUSH_HOME/config/policy.toml"
chmod 600 "$LUSUSH_HOME/config/policy.toml"
worker
try() {
    said=$("$L" maint "$@" 2>&1)
    printf '%s: %s: %s\n' "$*" "$?" "$(printf '%s' "$said" | head -n 1)"
}
eval "$TRIES"
"#;

/// Gives what the user's commands said, or none if this machine allows no such namespace.
fn day(test: &str, system: &str, user: &str, tries: &str) -> Option<String> {
    let values = [("RULES", system), ("USER_RULES", user), ("TRIES", tries)];
    in_own_etc(test, DAY, &values)
}

#[test]
fn what_the_machine_forbids_no_user_does() {
    let Some(said) = day(
        "what_the_machine_forbids_no_user_does",
        "denied_operations = [\"stop\"]\nrequired_tasks = [\"health-check\"]\ntask_commands_allowed = [\"/usr/bin/\"]\n\
         [mode_max]\nmemory-defrag = \"advise\"\n",
        "task_commands_allowed = true\n[mode_max]\nmemory-defrag = \"automatic\"\n",
        "try stop; try mode memory-defrag automatic; try mode memory-defrag observe; try pause health-check; try pause; \
         try schedule a --when manual -- /usr/bin/true; try schedule b --when manual -- /bin/true; \
         try schedule c --when manual -- /usr/bin/true ';' reboot; \
         try schedule d --when manual --cleanup reboot -- /usr/bin/true; try audit verify",
    ) else {
        return;
    };
    insta::assert_snapshot!(said, @"
    stop: 7: Error: the operation is denied (system policy, denied_operations)
    mode memory-defrag automatic: 7: Error: the area may not go that far by itself (system policy, mode_max)
    mode memory-defrag observe: 0: memory-defrag: observe.
    pause health-check: 7: Error: a task that this would hold back is required (system policy, required_tasks)
    pause: 7: Error: a task that this would hold back is required (system policy, required_tasks)
    schedule a --when manual -- /usr/bin/true: 0: a runs when asked: `lusush maint run a`.
    schedule b --when manual -- /bin/true: 7: Error: the command is not among those allowed (system policy, task_commands_allowed)
    schedule c --when manual -- /usr/bin/true ; reboot: 7: Error: the command is not among those allowed (system policy, task_commands_allowed)
    schedule d --when manual --cleanup reboot -- /usr/bin/true: 7: Error: the command is not among those allowed (system policy, task_commands_allowed)
    audit verify: 0: The audit log is whole: 11 records, the last one is #11.
    ");
}

#[test]
fn a_user_can_only_tighten() {
    let Some(said) = day(
        "a_user_can_only_tighten",
        "",
        "denied_operations = [\"pause\"]\n",
        "try pause; try run health-check",
    ) else {
        return;
    };
    insta::assert_snapshot!(said, @"
    pause: 7: Error: the operation is denied (user policy, denied_operations)
    run health-check: 0: health-check: succeeded.
    ");
}

#[test]
fn rules_that_are_not_understood_allow_looking_only() {
    let Some(said) = day(
        "rules_that_are_not_understood_allow_looking_only",
        "denied_operations = stop\n",
        "",
        "printf 'told: %s\n' \"$(\"$L\" maint alerts | grep -c 'policy is not understood')\"; try pause; try run health-check; try audit verify",
    ) else {
        return;
    };
    insta::assert_snapshot!(said, @"
    told: 1
    pause: 7: Error: the operation is denied (system policy, denied_operations)
    run health-check: 7: Error: the operation is denied (system policy, denied_operations)
    audit verify: 0: The audit log is whole: 2 records, the last one is #2.
    ");
}

#[test]
fn what_the_machine_comes_to_forbid_and_where_it_is_holds_at_once() {
    let Some(said) = day(
        "what_the_machine_comes_to_forbid_and_where_it_is_holds_at_once",
        "",
        "",
        "until_said() { for _ in $(seq 1000); do \"$L\" maint audit show | grep -q \"$1\" && return; sleep 0.02; done; echo in vain: $1; }; \
         try pause backup; printf 'denied_operations = [\"pause\", \"stop\"]\n' > /etc/lusush/policy.toml; \
         until_said 'the policy has changed'; try pause backup; try stop; \
         folder=$(echo \"$LUSUSH_HOME\"/state/maint/*); echo > \"$folder/stopped\"; until_said 'stop.*by user 0\\( [^(]\\|[:,;.]\\|$\\)'; \
         echo 'nonsense' > /etc/lusush/policy.toml; for _ in $(seq 1000); do \"$L\" maint resume backup 2>/dev/null || break; sleep 0.02; done > /dev/null; \
         try resume backup; try health; \
         ln -sfn /usr/share/zoneinfo/Pacific/Kiritimati /etc/localtime; until_said 'time zone has changed'",
    ) else {
        return;
    };
    insta::assert_snapshot!(said, @"
    pause backup: 0: backup does not run by itself until `lusush maint resume backup`.
    pause backup: 7: Error: the operation is denied (system policy, denied_operations)
    stop: 7: Error: the operation is denied (system policy, denied_operations)
    resume backup: 7: Error: the operation is denied (system policy, denied_operations)
    health: 0: Health: degraded
    ");
}
