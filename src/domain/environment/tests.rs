use super::*;

fn passing(vars: &[(&str, &str)]) -> Vec<String> {
    let os = |text: &str| OsString::from(text);
    let kept = inherited(vars.iter().map(|(name, value)| (os(name), os(value))));
    kept.into_iter()
        .map(|(name, _)| name.into_string().unwrap())
        .collect()
}

/// Each name alone.
fn passes(name: &str) -> bool {
    !passing(&[(name, "x")]).is_empty()
}

#[test]
fn what_a_login_has_passes() {
    for name in [
        "ANTHROPIC_API_KEY",
        "AWS_PROFILE",
        "CARGO_HOME",
        "CARGO_TARGET_DIR",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CONFIG_DIR",
        "CODEX_API_KEY",
        "CODEX_HOME",
        "DBUS_SESSION_BUS_ADDRESS",
        "DISPLAY",
        "EDITOR",
        "GEMINI_API_KEY",
        "GEMINI_CLI_SYSTEM_SETTINGS_PATH",
        "GH_TOKEN",
        "GITHUB_TOKEN",
        "GIT_AUTHOR_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_CONFIG_GLOBAL",
        "GIT_HTTP_LOW_SPEED_LIMIT",
        "GIT_LFS_SKIP_SMUDGE",
        "GIT_SSH_COMMAND",
        "GIT_SSL_CAINFO",
        "HOME",
        "HTTPS_PROXY",
        "LANG",
        "LC_ALL",
        "LC_TIME",
        "LD_LIBRARY_PATH",
        "NODE_OPTIONS",
        "OPENCODE_CONFIG",
        "PATH",
        "QWEN_CODE_MAX_OUTPUT_TOKENS",
        "RUSTUP_TOOLCHAIN",
        "SHELL",
        "SSH_AGENT_PID",
        "SSH_ASKPASS",
        "SSH_AUTH_SOCK",
        "TMUX_TMPDIR",
        "USER",
        "VIRTUAL_ENV",
        "XDG_CONFIG_HOME",
        "XDG_RUNTIME_DIR",
        "http_proxy",
        "no_proxy",
        "npm_config_registry",
    ] {
        assert!(passes(name), "{name}");
    }
}

#[test]
fn what_the_program_around_the_server_set_does_not_pass() {
    for name in [
        "ABBADO_RUN_ID",
        "ABBADO_TOKEN",
        "CARGO_MANIFEST_DIR",
        "CARGO_PKG_VERSION",
        "CLAUDECODE",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_SSE_PORT",
        "CODEX_SANDBOX_NETWORK_DISABLED",
        "CODEX_THREAD_ID",
        "COLORTERM",
        "COLUMNS",
        "ELECTRON_RUN_AS_NODE",
        "GEMINI_CLI",
        "GEMINI_CLI_IDE_SERVER_PORT",
        "GPG_TTY",
        "INSIDE_EMACS",
        "ITERM_SESSION_ID",
        "KITTY_WINDOW_ID",
        "MAKEFLAGS",
        "NOTIFY_SOCKET",
        "NVIM",
        "OPENCODE",
        "PWD",
        "QWEN_CODE",
        "SSH_TTY",
        "STY",
        "TERM",
        "TERM_PROGRAM",
        "TERM_PROGRAM_VERSION",
        "TMUX",
        "TMUX_PANE",
        "VSCODE_GIT_IPC_HANDLE",
        "VSCODE_INJECTION",
        "WEZTERM_PANE",
        "WT_SESSION",
        "ZELLIJ_SESSION_NAME",
        "npm_lifecycle_event",
        "npm_package_name",
    ] {
        assert!(!passes(name), "{name}");
    }
}

#[test]
fn no_variable_leads_git_to_another_repository_or_changes_what_it_says() {
    for name in [
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_ASKPASS",
        "GIT_ATTR_SOURCE",
        "GIT_AUTHOR_DATE",
        "GIT_CEILING_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_KEY_0",
        "GIT_CONFIG_PARAMETERS",
        "GIT_CONFIG_VALUE_0",
        "GIT_DEFAULT_HASH",
        "GIT_DIFF_OPTS",
        "GIT_DIR",
        "GIT_EDITOR",
        "GIT_EXEC_PATH",
        "GIT_EXTERNAL_DIFF",
        "GIT_INDEX_FILE",
        "GIT_LITERAL_PATHSPECS",
        "GIT_NAMESPACE",
        "GIT_NO_LAZY_FETCH",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_SEQUENCE_EDITOR",
        "GIT_TRACE_CURL",
        "GIT_WORK_TREE",
        "GIT_YET_TO_COME",
    ] {
        assert!(!passes(name), "{name}");
    }
}

#[test]
fn an_identity_passes_unless_a_parent_git_set_it() {
    let who = ("GIT_AUTHOR_NAME", "Somebody");
    assert_eq!(passing(&[who]), ["GIT_AUTHOR_NAME"]);
    for mark in [
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_EXEC_PATH",
        "GIT_AUTHOR_DATE",
    ] {
        assert!(passing(&[who, (mark, "x")]).is_empty(), "{mark}");
    }
}

#[test]
fn some_names_tell_who_set_others() {
    for (mark, dropped) in [
        ("npm_execpath", "npm_config_prefix"),
        ("npm_lifecycle_event", "INIT_CWD"),
        ("CARGO", "LD_LIBRARY_PATH"),
        ("CARGO", "OUT_DIR"),
        ("RUST_RECURSION_COUNT", "RUSTUP_TOOLCHAIN"),
        ("VSCODE_IPC_HOOK_CLI", "BROWSER"),
        ("VSCODE_INSPECTOR_OPTIONS", "NODE_OPTIONS"),
        ("VSCODE_GIT_ASKPASS_NODE", "SSH_ASKPASS"),
    ] {
        assert!(passes(dropped), "{dropped}");
        assert!(passing(&[(dropped, "x"), (mark, "x")]).is_empty(), "{mark}");
    }
}

#[test]
fn folders_that_git_and_npm_put_into_path_are_left_out() {
    let path = |more: &[(&str, &str)]| {
        let own = ("PATH", "/lib/git-core:/p/node_modules/.bin:/usr/bin::/bin");
        let vars: Vec<_> = more.iter().chain([&own]).collect();
        let kept = inherited(vars.iter().map(|(n, v)| (n.into(), v.into())));
        kept.last().unwrap().1.to_str().unwrap().to_owned()
    };
    let all = "/lib/git-core:/p/node_modules/.bin:/usr/bin::/bin";
    assert_eq!(path(&[]), all);
    assert_eq!(
        path(&[("GIT_EXEC_PATH", "/lib/git-core")]),
        "/p/node_modules/.bin:/usr/bin::/bin"
    );
    assert_eq!(
        path(&[("npm_execpath", "x")]),
        "/lib/git-core:/usr/bin::/bin"
    );
}

#[test]
fn a_holder_has_our_settings_and_not_the_token() {
    let all = ["ABBADO_LOG", "ABBADO_TOKEN", "GIT_DIR", "HOME"];
    let kept = for_a_holder(all.map(|name| (name.into(), "x".into())));
    let names: Vec<_> = kept.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["HOME", "ABBADO_LOG"]);
}

#[test]
fn values_that_are_not_utf8_pass_as_they_are() {
    use std::os::unix::ffi::OsStringExt;
    let odd = (OsString::from("ODD"), OsString::from_vec(vec![0xff]));
    assert_eq!(inherited([odd.clone()]), [odd]);
}

#[test]
fn a_terminal_has_its_kind_and_a_utf8_locale() {
    let made = |vars: &[(&str, &str)]| {
        let own = vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let mut env: BTreeMap<String, String> = own.collect();
        for_terminal(&mut env);
        assert_eq!(env["TERM"], "xterm-256color");
        assert_eq!(env["COLORTERM"], "truecolor");
        ["LC_ALL", "LC_CTYPE", "LANG"].map(|name| env.get(name).cloned().unwrap_or_default())
    };
    for (vars, [all, kind, lang]) in [
        (&[][..], ["", UTF8, ""]),
        (&[("LANG", "de_DE.UTF-8")], ["", "", "de_DE.UTF-8"]),
        (&[("LANG", "en_GB.utf8")], ["", "", "en_GB.utf8"]),
        (&[("LANG", "de_DE@euro")], ["", UTF8, "de_DE@euro"]),
        (&[("LANG", "C"), ("LC_ALL", "")], ["", UTF8, "C"]),
        (
            &[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")],
            [UTF8, "", "de_DE.UTF-8"],
        ),
        (
            &[("LC_CTYPE", "POSIX"), ("LANG", "C.UTF-8")],
            ["", UTF8, "C.UTF-8"],
        ),
        (&[("LC_CTYPE", "UTF-8"), ("LANG", "C")], ["", "UTF-8", "C"]),
    ] {
        assert_eq!(made(vars), [all, kind, lang], "{vars:?}");
    }
}
