//! The reference of the configuration, `docs/configuration.md`, made from the table of keys.
//!
//! Invariant: nothing is said about a key that does not stand in its row.

use super::key::{Key, Kind, Part};
use super::{Catalogue, FILE_BYTES_MAX, SYSTEM_FILE};
use crate::theme::{ROLES, THEMES, Theme};

/// Writes the reference, in Markdown.
pub fn reference(catalogue: &Catalogue) -> String {
    let mut out = format!("{HEAD}\n\n{}\n", rules(catalogue));
    let mut table = "";
    for key in catalogue.keys {
        let of = key.name.rsplit_once('.').map_or("", |(of, _)| of);
        if of != table {
            out.push_str(&format!("\n## [{of}]\n\n"));
            out.push_str(
                "| key | values | default | since | what it does |\n| --- | --- | --- | --- | --- |\n",
            );
            table = of;
        }
        out.push_str(&row(key));
    }
    out.push_str(
        "\n## Who goes by which key\n\n| part | keys | who else looks again |\n| --- | --- | --- |\n",
    );
    for part in Part::ALL {
        let keys = catalogue.keys.iter().filter(|key| key.part == *part);
        let keys: Vec<String> = keys.map(|key| format!("`{}`", key.name)).collect();
        let others: Vec<&str> = part.followed_by().iter().map(|part| part.name()).collect();
        let place = if part.is_of_sessions() {
            "every session"
        } else {
            "the worker"
        };
        out.push_str(&format!(
            "| {} ({place}) | {} | {} |\n",
            part.name(),
            keys.join(", "),
            others.join(", ")
        ));
    }
    out.push_str(PARTS);
    out.push_str(&themes());
    out
}

const PARTS: &str = "
## Parts of the prompt that may be shown older

`lusush maint why prompt` names a `$(…)` of PS1 that makes prompts slow. With `prompt.cached = [\"git status\"]` the one whose \
command begins with these words is off the prompt's path: bash expands it in a child, and if that takes longer than \
`prompt.cached_wait_ms`, the prompt shows the value of last time in the same folder, or nothing where there is none. When the \
new value is there, the prompt is written anew where it stands; what you type is not touched. Nothing marks an older value. \
`lle cached TEXT…` does the same in one session.

What such a part runs has neither a keyboard nor a screen, and ends with the line that is typed, or after ten seconds; git is asked to \
take no optional locks. What it changes in the shell is lost, as in every `$(…)`, and `$?` behind it is that of the command line. \
A part in `${…}`, between `\\[` and `\\]`, with a backslash, or with an end that is not certain stays as it is, as does all of it with \
`set -x`, without `promptvars`, and at the first prompt of a shell. Values of more than 1 KiB are not kept.
";

fn themes() -> String {
    let name = |theme: &Theme| match theme.made_for {
        Some(([red, green, blue], _)) => format!(
            "`{}` (for a background of #{red:02x}{green:02x}{blue:02x})",
            theme.name
        ),
        None => format!("`{}`", theme.name),
    };
    let built_in: Vec<String> = THEMES.iter().map(name).collect();
    let roles: Vec<String> = ROLES.iter().map(|role| format!("`{}`", role.name())).collect();
    format!(
        "\n## Themes\n\nBuilt in: {}.\n\n{THEME_FILE}\n\nThe roles are {}.\n",
        built_in.join(", "),
        roles.join(", ")
    )
}

const THEME_FILE: &str = "\
`NAME.toml` in the folder `themes` beside `config.toml` is a theme of that name; `lusush maint config check themes/NAME.toml` \
says what is wrong with it. If it names the background, the contrast of each role is checked (WCAG 2.2).

```toml
version = 1
based-on = \"night\"             # for all that is not said here; \"default\" without it
background = \"#1c1c1c\"         # the terminal's
text = \"#d0d0d0\"               # the terminal's own
[roles]
command = \"green bold\"         # black, red … white, bright-red …, 0 to 255, #rrggbb, default;
unknown = \"#ff5f5f underline\"  # bold, faint, italic, underline, reverse
```";

const HEAD: &str = "# Configuration\n\n<!-- Made from the table of keys in crates/core/src/config/keys.rs: change that, and run its tests with UPDATE_DOCS=1. -->";

fn rules(catalogue: &Catalogue) -> String {
    format!(
        "Lusush needs none. What it finds is laid over what is built in, in this order: the machine's file `{SYSTEM_FILE}`, \
         your file `config.toml` (`lusush maint config path` says where), variables named `LUSUSH_CONFIG_` and the key \
         (`LUSUSH_CONFIG_EDITOR_THEME=light`), and words on the command line. The machine's file can lock keys: `locked = \
         [\"editor.theme\", \"alerts.*\"]`.\n\n\
         The file is TOML of at most {} KiB. `version = {}` names its format; without it, the newest is meant. A file with \
         mistakes does not come into force: `lusush maint config check FILE` tells them all at once. `lusush maint config \
         schema` prints a JSON Schema for editors, and `schema --write` puts it beside your file, whose first line then leads \
         editors to it. `lusush maint config set KEY VALUE` changes one line and keeps your comments.\n\n\
         A saved file comes into force within a moment in every session, while you type; a session that runs a command follows at \
         its next prompt, and what needs a new shell waits for one. A file with mistakes is told once above a prompt, and the last \
         good one stays in force, for new sessions as well. `lusush maint config status` says which version is in force, which each \
         session goes by and why, what is on trial, and what was refused. In one session, variables, `lle set` and `lle theme` go before what is \
         published, unless the key is locked. `lusush maint config log` lists the versions, `diff A B` says what changed from one to \
         another, and `rollback N` takes one up again; the newest hundred are kept, and no more than two hundred or 4 MiB.",
        FILE_BYTES_MAX / 1024,
        catalogue.version,
    )
}

fn row(key: &Key) -> String {
    let values = match key.kind {
        Kind::Bool => "`true`, `false`".to_owned(),
        Kind::Integer { min, max } => format!("{min} to {max}"),
        Kind::Choice(words) => {
            let quoted: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
            quoted.join(", ")
        }
        Kind::Name => "a name".to_owned(),
        Kind::Command => "a command line".to_owned(),
        Kind::Texts => "texts".to_owned(),
        Kind::Repository => "an address".to_owned(),
        Kind::File => "a file".to_owned(),
    };
    let mut about = key.about.to_owned();
    if key.needs_new_shell {
        about.push_str(" A running session keeps the value it began with.");
    }
    if let Some(deprecated) = key.deprecated {
        about.push_str(&format!(" Goes on {}", deprecated.date));
        about.push_str(
            &deprecated
                .replacement
                .map_or(".".to_owned(), |by| format!("; write `{by}` instead.")),
        );
    }
    format!(
        "| `{}` | {values} | `{}` | {} | {about} |\n",
        key.name, key.default, key.since
    )
}
