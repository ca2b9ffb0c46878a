//! Values are data, whatever is in them; output is shown, whatever it would do to a terminal.

use std::fs;

use crate::support::{Lab, Program, Ran};

/// Values that a shell, an option parser or a terminal would make something of.
fn values() -> Vec<String> {
    let mut values: Vec<String> = [
        "; rm -rf /root/keep",
        "$(touch /tmp/owned)",
        "`touch /tmp/owned`",
        "it's \"quoted\" 'twice'\\",
        "first\nsecond\n\n",
        "\n",
        "-rf",
        "--help",
        "-n",
        "*",
        "~root",
        "!!",
        "!x && touch /tmp/owned",
        "a=b",
        "# no comment",
        "tab\there",
        "carriage\rreturn",
        "\\n\\0\\x41 %s %d",
        "${HOME} $$ $1 $@",
        "<in >out | pipe & back",
        "{a,b} [c] (d)",
        "ünï→😀\u{202e}\u{200b}",
        "\u{1b}[31mred\u{7}",
        "${{ params.one }}",
        "{{ 1 }} {% if %} ${#x}",
        "",
        " ",
    ]
    .iter()
    .map(|value| (*value).to_owned())
    .collect();
    values.push("x".repeat(100_000));
    values
}

/// A runbook whose steps write what they got, each in its own way.
const BOOK: &str = r#"title: Hostile
hosts: dfw-jobs01
params:
  one: { help: A value. }
steps:
  - id: text
    run: |
      printf '%s\0' ${{ params.one }} > /root/got-text
  - id: argv
    run: [sh, -c, "printf '%s\\0' \"$1\" > /root/got-argv", sh, "${{ params.one }}"]
  - id: script
    script: { file: bin/put.sh, args: ["${{ params.one }}", last], interpreter: sh }
  - id: env
    run: printf '%s\0' "$V" > /root/got-env
    env: { V: "${{ params.one }}" }
  - id: stdin
    run: cat > /root/got-stdin; printf '\0' >> /root/got-stdin
    stdin: ${{ params.one }}
  - id: sudo
    run: printf '%s\0' ${{ params.one }} > /tmp/got-sudo
    sudo: ops
  - id: capture
    run: "printf '%s.' ${{ params.one }}"
    capture: { told: stdout }
  - id: captured
    run: printf '%s\0' ${{ steps.capture.captured.told }} > /root/got-captured
"#;

const SCRIPT: &str = "test \"$2\" = last\nprintf '%s\\0' \"$1\" > /root/got-script\n";

#[test]
fn a_parameter_arrives_as_the_value_it_is() {
    let lab = Lab::acquire();
    let program = Program::on(&lab).with_book(&[("hostile.yaml", BOOK), ("bin/put.sh", SCRIPT)]);
    lab.sh("dfw-jobs01", "touch /root/keep");
    for value in values() {
        lab.sh("dfw-jobs01", "rm -f /root/got-* /tmp/got-*");
        let shown: String = value.chars().take(40).collect();
        let ran = program.run(["run", "hostile", &format!("one={value}"), "--yes"]);
        ran.exits(0);
        for file in [
            "/root/got-text",
            "/root/got-argv",
            "/root/got-script",
            "/root/got-env",
            "/root/got-stdin",
            "/tmp/got-sudo",
        ] {
            let got = lab.sh("dfw-jobs01", &format!("cat {file}"));
            assert!(got == format!("{value}\0"), "{shown:?} in {file}: {:?}", got.chars().take(80).collect::<String>());
        }
        let got = lab.sh("dfw-jobs01", "cat /root/got-captured");
        assert!(got == format!("{value}.\0"), "{shown:?} captured: {:?}", got.chars().take(80).collect::<String>());
        assert!(
            lab.try_sh("dfw-jobs01", "test -e /tmp/owned || ! test -e /root/keep").status.code() != Some(0),
            "{shown:?}"
        );
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(['\x1b', '\r', '\u{202e}', '\u{7}']), "{shown:?} reached the screen");
        }
    }
    program.run(["audit", "verify", "--all"]).exits(0);
}

#[test]
fn a_variable_of_the_inventory_arrives_as_the_value_it_is() {
    let lab = Lab::acquire();
    let text = "title: T\nhosts: dfw-jobs01\nsteps:\n  - id: a\n    run: printf '%s\\0' ${{ host.vars.list }} ${{ host.vars.map.key }} > /root/got\n";
    let all = values();
    let vars = serde_json::json!({ "hosts": { "dfw-jobs01": { "vars": { "list": all, "map": { "key": all[1] } } } } });
    let program = Program::on(&lab).with_book(&[("hostile.yaml", text), ("extra.yaml", &vars.to_string())]);
    let extra = program.book().join("extra.yaml");
    let ran = Ran::of(program.command(["-i", extra.to_str().unwrap(), "run", "hostile", "--yes"]).output().unwrap());
    ran.exits(0);
    let got = lab.sh("dfw-jobs01", "cat /root/got");
    let expected: String = all.iter().chain([&all[1]]).map(|value| format!("{value}\0")).collect();
    assert!(got == expected, "{:?}", got.chars().take(300).collect::<String>());
    assert!(!lab.try_sh("dfw-jobs01", "test -e /tmp/owned").status.success());
}

#[test]
fn a_destination_is_a_name() {
    let lab = Lab::acquire();
    let text = "title: T\nhosts: dfw-jobs01\nparams: { name: { help: x } }\nsteps:\n  - id: a\n    copy: { src: bin/put.sh, dest: \"/root/dest/${{ params.name }}\" }\n";
    let program = Program::on(&lab).with_book(&[("copy.yaml", text), ("bin/put.sh", SCRIPT)]);
    lab.sh("dfw-jobs01", "mkdir -p /root/dest");
    for name in
        ["plain", "-rf", "a b", "$(touch /tmp/owned)x", "it's", "*", "ünï😀", "new\nline", "; rm -rf x", "`x`", "!"]
    {
        // a slash would be another folder: the value is a part of the path, as the author wrote it
        let name = name.replace('/', "_");
        program.run(["run", "copy", &format!("name={name}"), "--yes"]).exits(0);
        let names = lab.sh("dfw-jobs01", "cd /root/dest && find . -type f -printf '%f\\0'");
        assert_eq!(names, format!("{name}\0"));
        assert_eq!(lab.sh("dfw-jobs01", "cat /root/dest/*"), SCRIPT);
        lab.sh("dfw-jobs01", "rm -rf /root/dest; mkdir /root/dest");
    }
}

#[test]
fn output_does_nothing_to_the_terminal_and_does_not_break_the_record() {
    let lab = Lab::acquire();
    let text = r"title: Noise
hosts: dfw-jobs01
probes:
  noise:
    run: printf 'a\033[2J\tb\r\nc\342\200\256d\377\n'
    parse: { rows: '^(?<line>.*)$' }
    show: [line]
steps:
  - id: look
    probe: noise
  - id: escapes
    run: printf '\033]0;owned\007\033[31mred\033[0m\rhidden\r\n\342\200\256bidi\342\200\213 \302\233 31m \b\b end-of-escapes\n'
    capture: { told: stdout }
  - id: bytes
    run: printf 'latin \377\376 nul \000 after-nul\n'; printf '\000'; head -c 100000 /dev/urandom; echo
  - id: long
    run: head -c 1048576 /dev/zero | tr '\0' x; echo; head -c 1048576 /dev/zero | tr '\0' y >&2; printf 'no newline at the end'
  - id: many
    run: seq 1 20000; seq 1 20000 >&2
  - id: torn
    run: printf 'half a letter \303'; sleep 0.4; printf '\251 whole\n'
  - id: fails
    run: printf 'why\033[2J\r\342\200\256\n' >&2; exit 3
";
    let program = Program::on(&lab).with_book(&[("noise.yaml", text)]);
    for format in ["text", "json"] {
        let ran = program.run(["--format", format, "run", "noise", "--yes"]);
        ran.exits(1);
        let harmful = ['\x1b', '\r', '\u{7}', '\u{8}', '\0', '\u{202e}', '\u{200b}', '\u{9b}'];
        if format == "text" {
            ran.says("end-of-escapes").says("\\x1b[31mred").says("half a letter é whole").says("after-nul");
            for text in [&ran.stdout, &ran.stderr] {
                assert!(!text.contains(harmful), "{:?}", text.chars().find(|c| harmful.contains(c)));
            }
        } else {
            ran.stdout.lines().for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).unwrap()));
            assert!(!ran.stdout.contains(['\x1b', '\r', '\u{7}', '\0']), "JSON escapes controls");
        }
        program.run(["audit", "verify"]).exits(0);
        for args in [&["audit", "show"][..], &["audit", "show", "--output"], &["audit", "list"]] {
            let ran = program.run(args);
            ran.exits(0);
            assert!(!ran.stdout.contains(harmful), "{args:?}");
        }
        let shown = program.run(["--format", "json", "audit", "show", "--output"]);
        let _: serde_json::Value = serde_json::from_str(&shown.exits(0).stdout).unwrap();
    }
    let ran = program.run(["run", "noise", "--dry-run"]);
    ran.exits(0);
    assert!(!ran.stdout.contains(['\x1b', '\r', '\u{202e}']), "{}", ran.stdout);
}

#[test]
fn what_a_login_prints_is_not_the_commands_output() {
    let lab = Lab::acquire();
    let text = "title: T\nhosts: dfw-jobs01\nsteps:\n  - id: a\n    run: echo said\n    capture: { told: stdout | trim }\n    checks:\n      - { says: Clean., run: echo said, expect: stdout == \"said\\n\" and stderr == \"\" }\n  - id: b\n    run: test ${{ steps.a.captured.told }} = said\n";
    let program = Program::on(&lab).with_book(&[("quiet.yaml", text)]);
    lab.sh("dfw-jobs01", "cp /root/.bashrc /root/.bashrc.kept 2>/dev/null; printf 'echo noise; echo more >&2; printf \"\\\\033[2J\"\\n' > /root/.bashrc; cp /root/.bashrc /root/.profile");
    let ran = program.run(["run", "quiet", "--yes"]);
    lab.sh(
        "dfw-jobs01",
        "rm -f /root/.profile; mv /root/.bashrc.kept /root/.bashrc 2>/dev/null || rm -f /root/.bashrc",
    );
    ran.exits(0);
    program.run(["audit", "verify"]).exits(0);
}

#[test]
fn the_operators_own_words_are_data_too() {
    let lab = Lab::acquire();
    let text = "title: T\nhosts: dfw-jobs01\nsteps:\n  - id: a\n    run: printf '%s\\0' ${{ run.operator }} ${{ run.reason }} > /root/got\n";
    let program = Program::on(&lab).with_book(&[("who.yaml", text)]);
    let reason = "db's \u{1b}[31m $(touch /tmp/owned)\nsecond";
    let ran = program.run(["run", "who", "--yes", "--as", "o'brien $(x)", "--reason", reason]);
    if ran.code == 0 {
        assert_eq!(lab.sh("dfw-jobs01", "cat /root/got"), format!("o'brien $(x)\0{reason}\0"));
        assert!(!ran.stderr.contains('\x1b') && !ran.stdout.contains('\x1b'));
        for args in [&["audit", "show"][..], &["audit", "list"]] {
            assert!(!program.run(args).stdout.contains('\x1b'), "{args:?}");
        }
    } else {
        // a name of that kind may be refused, and then before anything is done
        ran.exits(2);
        assert!(!program.state().exists());
        program.run(["run", "who", "--yes", "--reason", reason]).exits(0);
        assert_eq!(lab.sh("dfw-jobs01", "cat /root/got"), format!("tester\0{reason}\0"));
    }
    assert!(!lab.try_sh("dfw-jobs01", "test -e /tmp/owned").status.success());
}

#[test]
fn a_dynamic_inventory_cannot_give_ssh_options() {
    use std::os::unix::fs::PermissionsExt as _;
    let program =
        Program::new().with_book(&[("x.yaml", "title: T\nhosts: all\nsteps:\n  - id: a\n    run: \"true\"\n")]);
    let mark = program.dir().join("owned");
    let path = program.dir().join("dynamic");
    let owned = format!("-oProxyCommand=touch {}", mark.display());
    let local = format!("-oLocalCommand=touch {} -oPermitLocalCommand=yes", mark.display());
    for vars in [
        serde_json::json!({ "ansible_host": owned }),
        serde_json::json!({ "ansible_host": "127.0.0.1", "ansible_user": owned }),
        serde_json::json!({ "ansible_host": "127.0.0.1", "ansible_user": local }),
        serde_json::json!({ "ansible_host": "x y", "ansible_user": "root" }),
        serde_json::json!({ "ansible_host": "%h;touch", "ansible_user": "`touch`" }),
        serde_json::json!({ "ansible_host": "127.0.0.1\nProxyCommand x" }),
        serde_json::json!({ "ansible_host": "" }),
    ] {
        let list = serde_json::json!({ "_meta": { "hostvars": { "x1": vars } }, "xs": ["x1"] });
        fs::write(&path, format!("#!/bin/sh\ncat <<'END'\n{list}\nEND\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        // in place of the book's inventory, or over it: the host is the same
        fs::remove_file(program.book().join("inventory.yaml")).ok();
        let ran = Ran::of(program.command(["-i", path.to_str().unwrap(), "run", "x", "--yes"]).output().unwrap());
        assert_ne!(ran.code, 0, "{vars}");
        ran.is_silent_about("panicked");
        assert!(!mark.exists(), "{vars}: an option of the inventory reached ssh");
    }
}
