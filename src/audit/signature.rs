//! Signatures of seals: made and looked at by `ssh-keygen -Y`, so that keys, agents and the file of allowed signers are ssh's
//! own, with all their rules.
//!
//! ```text
//! ssh-keygen -Y verify -n runbook-audit -f allowed_signers -I mark -s SIGNATURE < SEALED_BYTES
//! ```
//!
//! Whoever holds a key at the time of signing can say any time for it: a validity in the file of allowed signers is held
//! against the time that the seal states.

use std::fmt;
use std::fs::{File, Permissions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustix::process::Pid;
use tempfile::TempDir;

use crate::journal::{NAMESPACE, Seal, Signature};

/// What signing may take: a key may want to be touched.
const SIGNING: Duration = Duration::from_secs(30);
/// How often it is looked whether the program has ended.
const LOOK: Duration = Duration::from_millis(3);

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// What seals are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A file: a private key, or a public one whose private half an agent holds.
    File(PathBuf),
    /// A key of the agent, as its public line.
    Agent(String),
    /// Nothing, and why.
    None(String),
}

impl Key {
    /// The key that the agent offers: one that may sign by the file of allowed signers, otherwise its first. Keys that have
    /// to be touched are left out: they are named by who wants them.
    pub fn of_agent(signers: Option<&Path>) -> Self {
        let listed = match run(program("ssh-add").arg("-L"), b"", SIGNING) {
            Ok(listed) => listed,
            Err(error) => return Self::None(format!("ssh-add: {error}")),
        };
        if !listed.status.success() {
            return Self::None(match listed.status.code() {
                Some(1) => "the ssh agent holds no key".to_owned(),
                Some(_) | None => "the ssh agent does not answer".to_owned(),
            });
        }
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let plain = |line: &&str| !line.starts_with("sk-") && !line.contains("-cert-v01@");
        let keys: Vec<&str> = listed.lines().filter(plain).collect();
        let allowed = signers.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        let known = keys.iter().find(|line| line.split(' ').nth(1).is_some_and(|blob| allowed.contains(blob)));
        match (known, keys.first()) {
            (Some(line), _) => Self::Agent((*line).to_owned()),
            // a signature that counts for nobody is worse than none; by an authority, any key may count
            (None, Some(line)) if allowed.is_empty() || allowed.contains("cert-authority") => {
                Self::Agent((*line).to_owned())
            }
            (None, Some(_)) => Self::None("no key of the ssh agent is an allowed signer's".to_owned()),
            (None, None) => Self::None("the ssh agent holds no key that signs by itself".to_owned()),
        }
    }

    /// Why there will be no signature, where that is known beforehand: tries the key. None where there may be one.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::None(_) | Self::Agent(_) => None,
            Self::File(path) => sign_with(path, b"can it sign?").err(),
        }
    }

    /// Signs `message`, or says why there is no signature. A key that wants a passphrase does not get one: who signs
    /// at the end of a run may not be there any more.
    pub fn sign(&self, message: &[u8]) -> Signature {
        let signed = match self {
            Self::None(why) => return Signature::Unsigned(why.clone()),
            Self::File(path) => sign_with(path, message),
            Self::Agent(line) => sign_by_agent(line, message),
        };
        signed.map_or_else(Signature::Unsigned, Signature::Signed)
    }
}

/// Signs with the agent's key of this public line. It is put where nobody else can put another: not in the state dir.
fn sign_by_agent(line: &str, message: &[u8]) -> Result<String, String> {
    let folder = private_folder().map_err(|error| format!("a folder for the public key: {error}"))?;
    let path = folder.path().join("signer.pub");
    std::fs::write(&path, format!("{line}\n")).map_err(|error| format!("{}: {error}", path.display()))?;
    sign_with(&path, message)
}

fn sign_with(key: &Path, message: &[u8]) -> Result<String, String> {
    let mut keygen = program("ssh-keygen");
    keygen.args(["-Y", "sign", "-n", NAMESPACE, "-f"]).arg(key);
    // nobody is asked for a passphrase
    keygen.env("SSH_ASKPASS_REQUIRE", "force").env("SSH_ASKPASS", "false");
    let signed = run(&mut keygen, message, SIGNING).map_err(|error| format!("ssh-keygen: {error}"))?;
    if !signed.status.success() {
        return Err(format!("{}: {}", key.display(), last_line(&signed.stderr)));
    }
    let armoured = String::from_utf8_lossy(&signed.stdout).into_owned();
    let lines = armoured.lines().skip_while(|line| *line != BEGIN).skip(1).take_while(|line| *line != END);
    let base64: String = lines.collect();
    if BASE64.decode(&base64).is_ok_and(|blob| blob.starts_with(b"SSHSIG")) {
        Ok(base64)
    } else {
        Err("ssh-keygen gave no signature".to_owned())
    }
}

/// Who signed a seal, as far as can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// One who may: the seal's own operator.
    Allowed {
        /// The name in the file of allowed signers.
        principal: String,
        /// The key's fingerprint.
        key: String,
    },
    /// A key that nobody was asked about: there is no file of allowed signers.
    Unasked {
        /// The key's fingerprint.
        key: String,
    },
    /// Nobody, and why.
    Nobody(String),
    /// One who may sign, but not for this operator.
    Another {
        /// Whose key it is.
        principals: Vec<String>,
        /// The key's fingerprint.
        key: String,
    },
    /// A key that is in the file of allowed signers, and does not count for this seal.
    NotThen {
        /// The key's fingerprint.
        key: String,
        /// What `ssh-keygen` says: mostly that it is not valid at the seal's time, or not for this namespace.
        why: String,
    },
    /// A key that is not in the file of allowed signers.
    Unknown {
        /// The key's fingerprint.
        key: String,
    },
    /// The signature is not one over what is sealed.
    Wrong {
        /// What `ssh-keygen` says.
        why: String,
    },
    /// It could not be looked at.
    Untold {
        /// Why.
        why: String,
    },
}

impl Signer {
    /// Whether the seal can be believed as far as its signature goes: an unsigned one can be, as far as that goes.
    pub fn is_fault(&self) -> bool {
        match self {
            Self::Allowed { .. } | Self::Unasked { .. } | Self::Nobody(_) => false,
            Self::Another { .. }
            | Self::NotThen { .. }
            | Self::Unknown { .. }
            | Self::Wrong { .. }
            | Self::Untold { .. } => true,
        }
    }

    /// The word for it, for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Allowed { .. } => "signed",
            Self::Unasked { .. } => "signed-by-unknown",
            Self::Nobody(_) => "unsigned",
            Self::Another { .. } => "signed-by-another",
            Self::NotThen { .. } => "signer-does-not-count",
            Self::Unknown { .. } => "signer-not-allowed",
            Self::Wrong { .. } => "signature-wrong",
            Self::Untold { .. } => "signature-unread",
        }
    }

    /// Whether somebody signed who may.
    pub fn is_signed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed { principal, key } => write!(f, "signed by {principal} ({key})"),
            Self::Unasked { key } => {
                write!(f, "signed with {key}, which nobody says whose it is")
            }
            Self::Nobody(why) => write!(f, "unsigned ({why})"),
            Self::Another { principals, key } => {
                write!(f, "signed by another: {} ({key})", principals.join(", "))
            }
            Self::NotThen { key, why } => write!(f, "signed with {key}, which does not count: {why}"),
            Self::Unknown { key } => write!(f, "signed with {key}, which is no allowed signer's"),
            Self::Wrong { why } => write!(f, "the signature is not of this seal: {why}"),
            Self::Untold { why } => write!(f, "the signature could not be looked at: {why}"),
        }
    }
}

/// Looks at signatures.
#[derive(Debug)]
pub struct Signers {
    /// The file of allowed signers; none: whose key it is, nobody says.
    allowed: Option<PathBuf>,
    /// The file's text.
    text: String,
    /// Where a signature is put for `ssh-keygen` to read; none: signatures are not looked at.
    folder: Option<TempDir>,
}

impl Signers {
    /// By the file of allowed signers, if there is one.
    pub fn new(allowed: Option<PathBuf>) -> io::Result<Self> {
        let text = allowed.as_ref().map(std::fs::read_to_string).transpose()?.unwrap_or_default();
        Ok(Self { allowed, text, folder: Some(private_folder()?) })
    }

    /// For a look at seals that does not ask who signed them.
    pub fn unasked() -> Self {
        Self { allowed: None, text: String::new(), folder: None }
    }

    /// Whether there is a file of allowed signers.
    pub fn are_known(&self) -> bool {
        self.allowed.is_some()
    }

    /// Who signed a seal.
    pub fn of(&self, seal: &Seal) -> Signer {
        match &seal.signature {
            Signature::Unsigned(why) => Signer::Nobody(why.clone()),
            Signature::Signed(base64) => self.look(seal, base64).unwrap_or_else(|why| Signer::Untold { why }),
        }
    }

    fn look(&self, seal: &Seal, base64: &str) -> Result<Signer, String> {
        let Some(blob) = key_of(base64) else {
            return Ok(Signer::Wrong { why: "it is no ssh signature".to_owned() });
        };
        let folder = self.folder.as_ref().ok_or("nobody asked")?;
        let file = folder.path().join("signature");
        let lines: Vec<String> =
            base64.as_bytes().chunks(70).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        std::fs::write(&file, format!("{BEGIN}\n{}\n{END}\n", lines.join("\n")))
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let keygen = |what: &str, more: &[&str]| {
            let mut keygen = program("ssh-keygen");
            keygen.args(["-Y", what, "-n", NAMESPACE, "-s"]).arg(&file).args(more);
            if let Some(allowed) = &self.allowed
                && what != "check-novalidate"
            {
                keygen.arg("-f").arg(allowed);
            }
            run(&mut keygen, &seal.message, SIGNING).map_err(|error| format!("ssh-keygen: {error}"))
        };
        let then = format!("verify-time={}", seal.statement.at.strftime("%Y%m%d%H%M%SZ"));
        let operator = &seal.statement.operator;
        // as a rule the operator's name is the signer's: then this is all
        if self.allowed.is_some() {
            let verified = keygen("verify", &["-I", operator, "-O", &then])?;
            if verified.status.success() {
                return Ok(Signer::Allowed { principal: operator.clone(), key: key_in(&verified) });
            }
        }
        let checked = keygen("check-novalidate", &[])?;
        if !checked.status.success() {
            return Ok(Signer::Wrong { why: last_line(&checked.stderr) });
        }
        let key = key_in(&checked);
        if self.allowed.is_none() {
            return Ok(Signer::Unasked { key });
        }
        let found = keygen("find-principals", &["-O", &then])?;
        let principals: Vec<String> =
            String::from_utf8_lossy(&found.stdout).split([',', '\n']).map(str::trim).map(str::to_owned).collect();
        let principals: Vec<String> = principals.into_iter().filter(|name| !name.is_empty()).collect();
        // plain root without a name: the signature is the only name there is
        let unnamed = operator.ends_with("(unidentified)");
        let own = principals.iter().find(|name| {
            unnamed || name.as_str() == operator || name.split_once('@').is_some_and(|(local, _)| local == operator)
        });
        for principal in own.into_iter().chain(&principals) {
            let verified = keygen("verify", &["-I", principal, "-O", &then])?;
            if verified.status.success() {
                return Ok(if own == Some(principal) {
                    Signer::Allowed { principal: principal.clone(), key }
                } else {
                    Signer::Another { principals, key }
                });
            }
        }
        // `FILE:LINE: key has expired: …`
        let said = String::from_utf8_lossy(&found.stderr).into_owned();
        let why = said.lines().next().unwrap_or_default();
        let why = why.split_once(": ").map_or(why, |(_, why)| why).to_owned();
        Ok(if self.text.contains(&blob) { Signer::NotThen { key, why } } else { Signer::Unknown { key } })
    }
}

/// The key that `ssh-keygen` names: `Good "runbook-audit" signature for mark with ED25519 key SHA256:…`.
fn key_in(said: &Output) -> String {
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    said.rsplit_once(" with ").map_or("a key", |(_, key)| key.trim()).replace(" key ", " ")
}

/// The public key in a signature, as a file of allowed signers has it: behind the magic and a version it is the first
/// text of the blob.
fn key_of(base64: &str) -> Option<String> {
    let blob = BASE64.decode(base64).ok()?;
    let rest = blob.strip_prefix(b"SSHSIG")?.get(4..)?;
    let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
    Some(BASE64.encode(rest.get(4..4 + length)?))
}

#[expect(clippy::disallowed_methods, reason = "nothing but these two programs, here and on this machine")]
fn program(name: &str) -> Command {
    Command::new(name)
}

/// A folder that nobody else can put anything into.
fn private_folder() -> io::Result<TempDir> {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir()
}

/// Runs a program to its end, but not for longer than `limit`; then it and what it started are killed.
///
/// It reads and writes files: a pipe would be waited for as long as anything it started holds it.
fn run(command: &mut Command, input: &[u8], limit: Duration) -> io::Result<Output> {
    let mut stdin = tempfile::tempfile()?;
    stdin.write_all(input)?;
    stdin.rewind()?;
    let (stdout, stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(stdin).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?).process_group(0);
    let mut child = command.spawn()?;
    let mut waited = Duration::ZERO;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if waited >= limit {
            kill_group(&mut child)?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it did not end in time"));
        }
        std::thread::sleep(LOOK);
        waited += LOOK;
    };
    Ok(Output { status, stdout: written(stdout)?, stderr: written(stderr)? })
}

fn kill_group(child: &mut Child) -> io::Result<()> {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    child.kill()?;
    child.wait().map(drop)
}

/// What was written into a file until now.
fn written(mut file: File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.rewind()?;
    let mut text = Vec::new();
    file.take(length).read_to_end(&mut text)?;
    Ok(text)
}

fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it did not say why").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_waited_for_and_what_it_left_running_is_not() {
        // more than a pipe holds, and a child of its own that keeps its ends open
        let input = vec![b'x'; 1024 * 1024];
        let ran = run(program("sh").args(["-c", "sleep 30 & echo $!; exit 3"]), &input, SIGNING).unwrap();
        assert_eq!(ran.status.code(), Some(3));
        let left = String::from_utf8(ran.stdout).unwrap().trim().parse().unwrap();
        rustix::process::kill_process(Pid::from_raw(left).unwrap(), rustix::process::Signal::KILL).unwrap();
        let whole = run(program("sh").args(["-c", "cat; cat >&2 </dev/null"]), &input, SIGNING).unwrap();
        assert!(whole.stdout == input && whole.stderr.is_empty());
    }

    #[test]
    fn one_that_does_not_end_is_killed_with_all_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, started) = (dir.path().join("pipe"), dir.path().join("started"));
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        let both = File::options().read(true).write(true).open(&pipe).unwrap();
        // a machine under load may need more than a moment to start it
        for looks in [50, 500, 5000] {
            let mut stuck = program("sh");
            stuck.args(["-c", "(sleep 20; echo alive >&3) 3>\"$0\" & : >\"$1\"; wait"]).args([&pipe, &started]);
            assert_eq!(run(&mut stuck, b"", LOOK * looks).unwrap_err().kind(), io::ErrorKind::TimedOut);
            if started.exists() {
                break;
            }
        }
        assert!(started.exists());
        let mut ends = File::options().read(true).open(&pipe).unwrap();
        drop(both);
        let mut said = String::new();
        // the end comes once nobody can write to it any more
        ends.read_to_string(&mut said).unwrap();
        assert_eq!(said, "");
    }
}
