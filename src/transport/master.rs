//! The processes of `ssh`: the master that holds a shared connection, started, replaced and ended, and clients of it
//! for what `openssh` cannot ask for.
//!
//! It is the system's own `ssh` with the operator's own configuration: agents, hardware keys and jump hosts work as
//! they do by hand. It goes to the background once it is logged in and stays for the next run of the program, so that
//! most runs start no `ssh` at all. Options are given on the command line, where they precede the configuration.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use openssh::Session;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command as Process};
use tokio::time::{Instant, sleep, timeout};

use super::capability::Fault;
use super::fleet::Settings;
use super::refusal::{self, Place, Resolved, own_fault};
use crate::vocab::{Digest, Period};

/// sshd's and ssh's limit for a socket's path, less what ssh appends while it makes one.
const LONGEST_SOCKET: usize = 104 - 18;
/// How often a host that is crowded is tried.
const TRIES: u32 = 4;
/// What a master is given to end.
const ENDING: Duration = Duration::from_secs(2);

/// The files of one shared connection.
#[derive(Clone, Debug)]
pub(super) struct Files {
    /// The control socket.
    pub(super) socket: PathBuf,
    /// What the master says, from its start on.
    pub(super) log: PathBuf,
    /// Held while a master is started, so that two programs do not start two.
    lock: PathBuf,
}

impl Files {
    /// The files for `place`: the same in every run of the program.
    pub(super) fn of(place: &Place, directory: &Path) -> Self {
        let config = place.config.as_ref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
        let text = format!("{}\n{:?}\n{:?}\n{config:?}", place.address, place.port, place.user);
        let digest = Digest::of(text.as_bytes());
        let name = &digest.as_str()[..16];
        Self {
            socket: directory.join(name),
            log: directory.join(format!("{name}.log")),
            lock: directory.join(format!("{name}.lock")),
        }
    }
}

/// Makes the directory of control sockets, and makes sure that it is nobody else's: who can write a socket there could
/// answer in a host's place.
pub(super) fn prepare(directory: &Path) -> Result<(), Fault> {
    let shown = directory.display();
    let bad = |why: String| own_fault(format!("the directory for shared connections, {shown}, {why}"), None);
    if directory.as_os_str().len() + 1 + 16 > LONGEST_SOCKET {
        let hint = "choose a directory with a shorter path".to_owned();
        return Err(own_fault(
            format!("the directory for shared connections, {shown}, has too long a path"),
            Some(hint),
        ));
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| bad(format!("cannot be made: {error}")))?;
    let metadata = std::fs::symlink_metadata(directory).map_err(|error| bad(format!("cannot be read: {error}")))?;
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(bad("is not a directory of yours".to_owned()));
    }
    if metadata.permissions().mode() & 0o022 != 0 {
        return Err(bad("can be written by others".to_owned()));
    }
    Ok(())
}

/// Starts a master for `place`, unless another program has done so meanwhile.
pub(super) async fn establish(
    place: &Place,
    files: &Files,
    session: &Session,
    settings: &Settings,
) -> Result<(), Fault> {
    let _lock = lock(&files.lock, settings).await?;
    let mut pause = Duration::from_millis(100);
    for tried in 1.. {
        if answers(session, settings).await {
            return Ok(());
        }
        let _ = std::fs::remove_file(&files.socket);
        let _ = std::fs::remove_file(&files.log);
        match spawn(place, files, settings).await {
            Ok(()) => {}
            Err(mut said) => {
                if refusal::is_behind_proxy(&said) {
                    said = ask_proxy(place, settings).await.unwrap_or(said);
                }
                if tried < TRIES && refusal::is_crowded(&said) {
                    sleep(pause).await;
                    pause *= 3;
                    continue;
                }
                let resolved = if refusal::wants_resolving(&said) { resolve(place).await } else { Resolved::default() };
                return Err(refusal::fault(place, &said, &resolved));
            }
        }
        if tried > TRIES {
            break;
        }
    }
    Err(own_fault("ssh connected but left no control socket", None))
}

/// Whether there is a living master. One that does not answer at all is made way for.
pub(super) async fn answers(session: &Session, settings: &Settings) -> bool {
    matches!(timeout(settings.connect_timeout.get(), session.check()).await, Ok(Ok(())))
}

/// Ends the master and everything over it.
pub(super) async fn end(place: &Place, files: &Files) {
    let mut ssh = process(place);
    ssh.args(["-O", "exit", "-S", &socket_option(files), "--"]).arg(&place.address);
    ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let _ = timeout(ENDING, ssh.status()).await;
}

/// Starts a client of the master whose standard input and output are a stream from the host to `to`:`port`. Its
/// remarks say when the stream is open; it does not connect by itself when the master is gone.
pub(super) fn forward(place: &Place, files: &Files, settings: &Settings, to: &str, port: u16) -> io::Result<Child> {
    let mut ssh = connecting(place, settings);
    // `-v` outweighs the LogLevel among the options
    ssh.args([
        "-v",
        "-T",
        "-a",
        "-x",
        "-S",
        &socket_option(files),
        "-o",
        "ControlMaster=no",
        "-o",
        "ProxyCommand=false",
    ]);
    let to = if to.contains(':') { format!("[{to}]:{port}") } else { format!("{to}:{port}") };
    ssh.args(["-W", &to, "--"]).arg(&place.address);
    ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
}

/// The control socket as ssh takes it: a percent sign would be read as the start of a token.
fn socket_option(files: &Files) -> String {
    files.socket.display().to_string().replace('%', "%%")
}

async fn lock(path: &Path, settings: &Settings) -> Result<File, Fault> {
    let refuse = |error: io::Error| own_fault(format!("{}: {error}", path.display()), None);
    let file = File::options().create(true).append(true).open(path).map_err(refuse)?;
    let until = Instant::now() + settings.connect_timeout.get() * (TRIES + 1);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(Duration::from_millis(20)).await,
            Err(TryLockError::WouldBlock) => {
                return Err(own_fault("another program has been connecting to it for too long", None));
            }
            Err(TryLockError::Error(error)) => return Err(refuse(error)),
        }
    }
}

/// Runs ssh until it has gone to the background; what it said when it did not.
async fn spawn(place: &Place, files: &Files, settings: &Settings) -> Result<(), String> {
    let mut ssh = connecting(place, settings);
    ssh.args(["-M", "-N", "-f", "-T", "-a", "-x", "-S", &socket_option(files), "-E"]).arg(&files.log);
    ssh.arg("-o").arg(format!("ControlPersist={}", whole_seconds(settings.idle)));
    ssh.arg("--").arg(&place.address);
    let mut child = ssh.spawn().map_err(|error| format!("ssh cannot be started: {error}"))?;
    let mut said = Vec::new();
    let mut stderr = child.stderr.take();
    // the background process keeps stderr open: its end is not waited for
    let most = settings.connect_timeout.get() * 3;
    let work = async {
        let mut chunk = [0; 4096];
        loop {
            tokio::select! {
                biased;
                read = read(stderr.as_mut(), &mut chunk) => match read {
                    Ok(length @ 1..) => said.extend_from_slice(&chunk[..length]),
                    Ok(0) | Err(_) => stderr = None,
                },
                status = child.wait() => return status,
            }
        }
    };
    let status = timeout(most, work).await;
    match status {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(_)) => Err(format!("{}\n{}", String::from_utf8_lossy(&said), refusal::log_text(&files.log))),
        Ok(Err(error)) => Err(format!("ssh: {error}")),
        Err(_) => Err(format!("connecting timed out after {} s", most.as_secs())),
    }
}

async fn read(stderr: Option<&mut tokio::process::ChildStderr>, chunk: &mut [u8]) -> io::Result<usize> {
    match stderr {
        Some(stderr) => stderr.read(chunk).await,
        None => std::future::pending().await,
    }
}

/// ssh with everything that connecting depends on.
fn connecting(place: &Place, settings: &Settings) -> Process {
    let mut ssh = process(place);
    for option in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=3",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "LogLevel=INFO",
        &format!("ConnectTimeout={}", whole_seconds(settings.connect_timeout)),
    ] {
        ssh.args(["-o", option]);
    }
    ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    // Ctrl-C is for us; and nothing on the way may ask at the terminal (jump hosts do not inherit BatchMode)
    ssh.process_group(0).env("SSH_ASKPASS_REQUIRE", "force").env("SSH_ASKPASS", "/bin/false");
    ssh
}

/// What a jump host or proxy says: a connection that is to be shared hides it, so it is tried once without.
async fn ask_proxy(place: &Place, settings: &Settings) -> Option<String> {
    let mut ssh = connecting(place, settings);
    ssh.args(["-N", "-T", "-a", "-x", "-S", "none", "-o", "ControlPersist=no", "--"]).arg(&place.address);
    let output = timeout(settings.connect_timeout.get(), ssh.output()).await.ok()?.ok()?;
    Some(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn whole_seconds(time: Period) -> u64 {
    time.get().as_secs().max(1)
}

/// Asks ssh where `place` leads by its configuration. Only for better words: nothing depends on it.
async fn resolve(place: &Place) -> Resolved {
    let mut ssh = process(place);
    ssh.arg("-G").arg("--").arg(&place.address).stdin(Stdio::null()).kill_on_drop(true);
    match timeout(Duration::from_secs(5), ssh.output()).await {
        Ok(Ok(output)) => Resolved::read(&String::from_utf8_lossy(&output.stdout)),
        Ok(Err(_)) | Err(_) => Resolved::default(),
    }
}

fn process(place: &Place) -> Process {
    #[expect(clippy::disallowed_methods, reason = "ssh is spawned here and nowhere else")]
    let mut ssh = Process::new("ssh");
    if let Some(config) = &place.config {
        ssh.arg("-F").arg(config);
    }
    if let Some(port) = place.port {
        ssh.arg("-p").arg(port.to_string());
    }
    if let Some(user) = &place.user {
        ssh.arg("-l").arg(user);
    }
    ssh
}
