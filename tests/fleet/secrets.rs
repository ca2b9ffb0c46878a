//! A secret arrives whole where it is used, and is nowhere else.

use std::fs;
use std::path::Path;
use std::process::Child;

use crate::support::{Lab, Program, Ran};

/// Everything that could go wrong on the way through shells, JSON, YAML and screens; each line long enough to be told.
const PASSWORD: &str = "pa'ss\"w0rd $HOME `id` \\n\\\\ %s ünï→😀\nsecond-l1ne; rm -rf * 'q'\n  third=$(x) #!";

const BOOK: &str = r#"title: Log in
hosts: dfw-jobs01
params:
  password: { type: secret, help: The password. }
steps:
  - id: file
    run: |
      umask 077
      printf '%s' "$PW" > /root/by-env
      cat > /root/by-stdin
      sleep 1.5
    env: { PW: "${{ params.password }}" }
    stdin: ${{ params.password }}
  - id: argv
    run: [sh, -c, "printf %s \"$PW\" > /root/by-argv; sleep 0.1"]
    env: { PW: "${{ params.password }}" }
  - id: script
    script: { file: bin/put.sh, interpreter: sh }
    env: { PW: "${{ params.password }}" }
  - id: as-user
    run: printf '%s' "$PW" > /tmp/by-sudo; cat > /tmp/by-sudo-stdin
    sudo: ops
    env: { PW: "${{ params.password }}" }
    stdin: ${{ params.password }}
"#;

const SCRIPT: &str = "printf '%s' \"$PW\" > /root/by-script\n";

/// Every form of the password that must be nowhere: whole, its lines, base64, JSON.
fn forms() -> Vec<String> {
    let mut forms: Vec<String> = PASSWORD.lines().map(|line| line.trim().to_owned()).collect();
    forms.push(PASSWORD.to_owned());
    forms.push("w0rd".to_owned());
    forms.push("l1ne".to_owned());
    forms.push(base64(PASSWORD));
    forms.push(base64(PASSWORD)[..40].to_owned());
    let json = serde_json::Value::from(PASSWORD).to_string();
    forms.push(json[1..json.len() - 1].to_owned());
    forms
}

fn base64(text: &str) -> String {
    use std::io::Write as _;
    let mut child = std::process::Command::new("base64")
        .arg("-w0")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[track_caller]
fn is_nowhere_in(what: &str, text: &str) {
    for form in forms() {
        assert!(!text.contains(&form), "`{form}` is in {what}:\n{text}");
    }
}

/// Every file below the state folder, by its bytes.
#[track_caller]
fn is_nowhere_below(dir: &Path) {
    let mut count = 0;
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.is_file() {
                count += 1;
                let bytes = fs::read(&path).unwrap_or_default();
                is_nowhere_in(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
            }
        }
    }
    assert!(count > 0, "nothing in {}", dir.display());
}

/// What every process of this machine was started with. The environment of a process is its user's own.
fn command_lines() -> String {
    let mut all = String::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let bytes = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        all.push_str(&String::from_utf8_lossy(&bytes).replace('\0', " "));
        all.push('\n');
    }
    all
}

fn with_secret(program: Program) -> (Program, String) {
    let path = program.dir().join("password");
    fs::write(&path, format!("{PASSWORD}\n")).unwrap();
    let arg = format!("password=@{}", path.display());
    (program, arg)
}

fn ended(child: Child) -> Ran {
    Ran::of(child.wait_with_output().unwrap())
}

#[test]
fn it_arrives_whole_and_is_on_no_command_line() {
    let lab = Lab::acquire();
    let program =
        Program::on(&lab).with_book(&[("login.yaml", BOOK), ("bin/put.sh", SCRIPT)]).env("THE_PASSWORD", PASSWORD);
    let (program, by_file) = with_secret(program);
    for (arg, format) in [(by_file.as_str(), "text"), ("password=env:THE_PASSWORD", "json")] {
        lab.sh("dfw-jobs01", "rm -f /root/by-* /tmp/by-*");
        let child = program.start(["--format", format, "run", "login", arg, "--yes"]);
        program.wait_until("the command", || lab.try_sh("dfw-jobs01", "test -s /root/by-stdin").status.success());
        is_nowhere_in("this machine's command lines", &command_lines());
        is_nowhere_in("the host's command lines", &lab.sh("dfw-jobs01", "cat /proc/*/cmdline | tr '\\0' ' '"));
        is_nowhere_in(
            "the host's receipts",
            &lab.sh("dfw-jobs01", "cd /run; grep -ra . runbook* /tmp/runbook* /var/tmp 2>/dev/null; true"),
        );
        let ran = ended(child);
        ran.exits(0);
        is_nowhere_in("stdout", &ran.stdout);
        is_nowhere_in("stderr", &ran.stderr);
        for file in
            ["/root/by-env", "/root/by-stdin", "/root/by-argv", "/root/by-script", "/tmp/by-sudo", "/tmp/by-sudo-stdin"]
        {
            assert_eq!(lab.sh("dfw-jobs01", &format!("cat {file}")), PASSWORD, "{file}");
        }
        is_nowhere_below(&program.state());
        lab.sh("dfw-jobs01", "rm -f /root/by-* /tmp/by-*");
        is_nowhere_in(
            "the host's files",
            &lab.sh("dfw-jobs01", "grep -ra w0rd /root /tmp /run /var/log /var/tmp 2>/dev/null; true"),
        );
    }
}

#[test]
fn nothing_that_only_shows_shows_it() {
    let lab = Lab::acquire();
    let book = BOOK.replace("steps:", "probes:\n  told:\n    run: echo \"$PW\"; printf '%s' \"$PW\" | base64 -w0\n    env: { PW: \"${{ params.password }}\" }\n    parse: { rows: '^(?<line>.*)$' }\nwarnings:\n  - { id: seen, says: \"Saw ${{ rows | map(attribute='line') | list }}\", probe: told, every: line == line }\npreconditions:\n  - { id: shows, says: It shows., probe: told, every: line == \"x\", override: allowed }\nsteps:\n  - { id: look, probe: told }");
    let program = Program::on(&lab).with_book(&[("login.yaml", &book), ("bin/put.sh", SCRIPT)]);
    let (program, arg) = with_secret(program);
    let plan = program.dir().join("plan.json");
    for args in [
        &["run", "login", &arg, "--dry-run", "--out", plan.to_str().unwrap()][..],
        &["--format", "json", "run", "login", &arg, "--dry-run"],
        &["run", "login", &arg, "--yes"],
        &["hosts"],
        &["--format", "json", "hosts"],
        &["show", "login"],
        &["--format", "json", "show", "login"],
        &["audit", "show", "--output"],
        &["--format", "json", "audit", "show", "--output"],
        &["-vvv", "run", "login", &arg, "--dry-run"],
    ] {
        let ran = program.run(args);
        ran.is_silent_about("panicked");
        assert!(!ran.stdout.is_empty() || !ran.stderr.is_empty(), "{args:?}");
        is_nowhere_in(&format!("stdout of {args:?}"), &ran.stdout);
        is_nowhere_in(&format!("stderr of {args:?}"), &ran.stderr);
    }
    is_nowhere_in("the plan", &fs::read_to_string(&plan).unwrap());
    program.run(["run", "login", &arg, "--dry-run"]).says("<secret:password>");
    is_nowhere_below(&program.state());
}

#[test]
fn a_command_that_prints_it_is_masked() {
    let lab = Lab::acquire();
    let text = r#"title: Talk
hosts: dfw-jobs01
params:
  password: { type: secret }
steps:
  - id: whole
    run: |
      printf 'whole: %s :whole\n' "$PW"; printf '%s\n' "$PW" >&2
      printf '%s' "$PW" | base64 -w0; echo
      printf '%s\n' "$PW" | base64
      printf '%s' "$PW" | head -n 2 | tail -n 1
    env: { PW: "${{ params.password }}" }
    capture: { told: stdout }
    checks:
      - { says: It is told., run: 'echo "$PW"', env: { PW: "${{ params.password }}" }, expect: 'stdout != ""' }
  - id: chunks
    run: |
      printf 'in two: %s' "$(printf '%s' "$PW" | cut -c1-9 | head -n 1)"; sleep 0.6
      printf '%s' "$PW" | head -n 1 | cut -c10-; printf '%s' "$PW" | tail -n +2; echo
      for word in a b c; do printf '%s' "$PW"; sleep 0.2; echo " done-$word"; done
    env: { PW: "${{ params.password }}" }
  - id: again
    run: echo captured ${{ steps.whole.captured.told }}
  - id: fails
    run: 'echo "login failed for $PW" >&2; sh -x -c ": \"\$PW\""; exit 3'
    env: { PW: "${{ params.password }}" }
    on_failure: { collect: [ { run: 'echo "$PW"', env: { PW: "${{ params.password }}" } } ] }
"#;
    let program = Program::on(&lab).with_book(&[("talk.yaml", text)]);
    let (program, arg) = with_secret(program);
    for format in ["text", "json"] {
        let ran = program.run(["--format", format, "run", "talk", &arg, "--yes"]);
        ran.exits(1).says("••••••").says("done-c");
        // the start of a secret cut in two by the command's own bytes is held back until the rest is there
        is_nowhere_in("stdout", &ran.stdout);
        is_nowhere_in("stderr", &ran.stderr);
        is_nowhere_below(&program.state());
        for args in [&["audit", "show", "--output"][..], &["--format", "json", "audit", "show", "--output"]] {
            let ran = program.run(args);
            ran.exits(0).says("••••••");
            is_nowhere_in("audit show", &ran.stdout);
        }
        program.run(["audit", "verify"]).exits(0);
    }
}

#[test]
fn a_secret_that_is_a_word_of_the_journal_is_masked_all_the_same() {
    // host names, step ids and digests cannot be masked without breaking the record; what commands print can
    let lab = Lab::acquire();
    let text = "title: T\nhosts: dfw-jobs01\nparams:\n  password: { type: secret }\nsteps:\n  - id: restart\n    run: 'echo \"told: <$PW>\"'\n    env: { PW: \"${{ params.password }}\" }\n    capture: { told: stdout }\n";
    let program = Program::on(&lab).with_book(&[("talk.yaml", text)]);
    for word in ["jobs01", "dfw-jobs01", "restart", "exit", "step-started", "sha256"] {
        let program_arg = program.dir().join("word");
        fs::write(&program_arg, word).unwrap();
        let ran = program.run(["run", "talk", &format!("password=@{}", program_arg.display()), "--yes"]);
        ran.exits(0).is_silent_about(&format!("<{word}>"));
        assert!(!program.journal().contains(&format!("<{word}>")), "{word}: {}", program.journal());
        program.run(["audit", "verify"]).exits(0);
    }
}

#[test]
fn a_secret_is_given_as_one_or_not_at_all() {
    let program =
        Program::new().with_book(&[("login.yaml", BOOK), ("bin/put.sh", SCRIPT)]).env("EMPTY", "").env("SHORT", "abc");
    let nul = program.dir().join("nul");
    fs::write(&nul, "abcd\0efgh").unwrap();
    let latin = program.dir().join("latin");
    fs::write(&latin, b"abcd\xff\xfe").unwrap();
    for (arg, word) in [
        ("password=hunter22", "command line"),
        ("password=", "command line"),
        ("password=@/absent/file", "/absent/file"),
        ("password=@/root", "/root"),
        ("password=@/dev/zero", "/dev/zero"),
        ("password=env:ABSENT", "ABSENT"),
        ("password=env:EMPTY", "shorter"),
        ("password=env:SHORT", "shorter"),
        (&format!("password=@{}", nul.display()), "NUL"),
        (&format!("password=@{}", latin.display()), "UTF-8"),
    ] {
        let ran = program.run(["run", "login", arg, "--yes"]);
        ran.exits(2).says(word).is_silent_about("hunter22").is_silent_about("panicked");
        assert!(!program.state().exists());
    }
    program.run(["run", "login", "hunter22", "--yes"]).exits(2);
    let ran = program.run(["run", "login", "--yes"]);
    ran.exits(2).says("password=@FILE").says("password=env:VARIABLE").says("The password.");
    assert!(!program.state().exists());
}

#[test]
fn a_secret_in_a_command_is_refused() {
    for step in [
        "run: login ${{ params.password }}",
        "run: login ${{ params.password | raw }}",
        "run: \"login ${{ 'x' ~ params.password }}\"",
        "run: [login, \"${{ params.password }}\"]",
        "command: login ${{ params.password }}",
        "script: { file: bin/put.sh, args: [\"${{ params.password }}\"] }",
        "copy: { src: bin/put.sh, dest: \"/tmp/${{ params.password }}\" }",
        "manual: Type ${{ params.password }}.",
        "run: x\n    env: { X: \"${{ 'Bearer ' ~ params.password }}\" }",
        "run: x\n    stdin: ${{ params.password | upper }}",
        "run: x\n    if: params.password == \"x\"",
        "http: { url: \"http://127.0.0.1:1/${{ params.password }}\" }",
    ] {
        let text =
            format!("title: T\nhosts: here\nparams:\n  password: {{ type: secret }}\nsteps:\n  - id: a\n    {step}\n");
        let program = Program::new().with_book(&[("leak.yaml", &text), ("bin/put.sh", SCRIPT)]).env("PW", "hunter22");
        let ran = program.run(["run", "leak", "password=env:PW", "--yes"]);
        assert_ne!(ran.code, 0, "{step}: {}{}", ran.stdout, ran.stderr);
        ran.says("secret").is_silent_about("hunter22").is_silent_about("HUNTER22");
        assert!(!program.journal().contains("hunter22") && !program.journal().contains("step-started"), "{step}");
        let ran = program.run(["run", "leak", "password=env:PW", "--dry-run"]);
        ran.is_silent_about("hunter22").is_silent_about("HUNTER22");
    }
}

#[test]
fn a_resume_asks_for_it_again() {
    let lab = Lab::acquire();
    let text = "title: T\nhosts: dfw-jobs01\nparams:\n  password: { type: secret }\nsteps:\n  - id: a\n    run: test -e /root/go\n  - id: b\n    run: cat > /root/got\n    stdin: ${{ params.password }}\n";
    let program = Program::on(&lab).with_book(&[("late.yaml", text)]).env("THE_PASSWORD", PASSWORD);
    program.run(["run", "late", "password=env:THE_PASSWORD", "--yes"]).exits(1);
    lab.sh("dfw-jobs01", "touch /root/go");
    let ran = program.run(["resume", "--yes", "--retry"]);
    ran.exits(2).says("password").says("--secret NAME=@FILE");
    program.run(["resume", "--yes", "--retry", "--secret", "password=hunter22"]).exits(2).is_silent_about("hunter22");
    program.run(["resume", "--yes", "--retry", "--secret", "password=env:THE_PASSWORD"]).exits(0);
    assert_eq!(lab.sh("dfw-jobs01", "cat /root/got"), PASSWORD);
    is_nowhere_below(&program.state());
}

/// One line, since each form here is a program's own: what makes it, and what no form may leave to be read.
#[test]
fn what_programs_make_of_it_is_masked() {
    let lab = Lab::acquire();
    let text = r#"title: Talk
hosts: dfw-jobs01
params:
  password: { type: secret }
steps:
  - id: forms
    run: |
      printf 'user:%s' "$PW" | base64 -w0; echo
      printf 'users:%s:x' "$PW" | base64 -w0; echo
      printf '%s' "$PW" | od -An -v -tx1 | tr -d ' \n' | fold -w 60; echo
      printf '%s' "$PW" | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F; echo
      bash -c 'printf "%q\n" "$PW"; set -x; : "$PW"'
      cd /tmp && touch -- "$PW" && ls -Q | grep end; LC_ALL=C ls -b | grep end; rm -f -- "$PW"
      printf '%s\r\n' "$PW"
      perl -MJSON::PP -e 'print JSON::PP->new->ascii->allow_nonref->encode($ENV{PW}), "\n"'
      perl -pe 's/([^A-Za-z0-9])/sprintf("%%%02x", ord($1))/ge' <<END
      $PW
      END
      printf '%s' "$PW" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'; echo
      for piece in $(printf '%s' "$PW" | base64 -w5); do printf '%s' "$piece"; sleep 0.05; done; echo
      echo number $NUMBER
      echo the-end
    env: { PW: "${{ params.password }}", NUMBER: "20261123" }
    capture: { told: stdout }
"#;
    let secret = "pa'ss-w0rd<$HOME>&\"x\"-ü.end";
    let program = Program::on(&lab).with_book(&[("talk.yaml", text)]);
    fs::write(program.dir().join("password"), secret).unwrap();
    let arg = format!("password=@{}", program.dir().join("password").display());
    let bytes: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    for format in ["text", "json"] {
        let ran = program.run(["--format", format, "-vvv", "run", "talk", &arg, "--yes"]);
        ran.exits(0).says("the-end").is_silent_about("not found");
        for (what, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr), ("the journal", &program.journal())] {
            // any run of four letters of it, in the clear or as bytes
            for piece in ["w0rd", "ss-w", "$HOME>", ".end", &bytes[8..24], &bytes[8..24].to_uppercase(), "%2dw0rd"] {
                assert!(!text.contains(piece), "`{piece}` is in {what}:\n{text}");
            }
            let encoded = [base64(secret), base64(&format!("u{secret}")), base64(&format!("us{secret}"))];
            for form in encoded {
                assert!(!text.contains(&form[8..20]), "`{form}` is in {what}:\n{text}");
            }
        }
    }
}

#[test]
fn a_secret_told_where_it_would_be_kept_is_refused_before_anything_is_done() {
    let text = "title: T\nhosts: here\nparams:\n  password: { type: secret }\n  user: { default: me }\nsteps:\n  - id: a\n    run: echo ${{ run.reason }}\n";
    let program = Program::new().with_book(&[("talk.yaml", text)]).env("PW", "hunter22-hunter22").env("SHORT", "jobs");
    for (args, word) in [
        (&["--reason", "it is hunter22-hunter22 now"][..], "the reason"),
        (&["--as", "hunter22-hunter22"], "the operator's name"),
        (&["user=hunter22-hunter22"], "type: secret"),
    ] {
        for more in ["--yes", "--dry-run"] {
            let ran = program.run([&["run", "talk", "password=env:PW", more], args].concat());
            ran.exits(2).says(word).says("`password`").is_silent_about("hunter22");
        }
    }
    assert!(!program.state().exists());
    // a word of ordinary talk is no betrayal; the record has it masked
    program.run(["run", "talk", "password=env:SHORT", "--reason", "restart the jobs", "--yes"]).exits(0);
    assert!(program.journal().contains("restart the ••••••"), "{}", program.journal());
    // what was told before it was a secret is masked on the screen of whoever goes on
    fs::write(program.book().join("talk.yaml"), text.replace("run: echo", "run: test -e /nowhere || exit 1; echo"))
        .unwrap();
    let told = ["run", "talk", "password=env:SHORT", "--reason", "it was hunter22-hunter22", "--yes"];
    program.run(told).exits(1);
    let ran = program.run(["resume", "latest", "--secret", "password=env:PW", "--yes", "--retry"]);
    ran.exits(2).says("the reason").is_silent_about("hunter22");
    let ran = program.run(["resume", "latest", "--secret", "password=env:PW", "--yes", "--retry", "--reason", "again"]);
    ran.exits(1).is_silent_about("hunter22");
}
