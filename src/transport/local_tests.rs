//! This machine as a host: sessions of their own, and conversations with a peer that misbehaves.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::capability::{Fault, Inspect as _, Look, Operate as _, Probe, Seen, Sending};
use super::fleet::{Fleet, Settings};
use crate::model::Target;
use crate::vocab::command::From as Origin;
use crate::vocab::observation::NoReply;
use crate::vocab::{Command, HttpRequest, MaskedText, Period, StepId, TcpTalk};

fn fleet() -> Fleet {
    Fleet::new(Settings::new("/nonexistent/control"))
}

async fn look(probe: Probe) -> Result<Seen, Fault> {
    let look = Look {
        name: "probe".to_owned(),
        probe,
        timeout: Period::new(Duration::from_millis(700)),
        cancel: CancellationToken::new(),
    };
    fleet().look(&Target::here(), look).await
}

/// A peer that reads what comes for a moment, answers each connection with `answer`, and closes or holds.
async fn peer(answer: &'static str, hold: bool) -> (u16, Arc<tokio::sync::Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard: Arc<tokio::sync::Mutex<Vec<u8>>> = Arc::default();
    let told = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            if let Ok(Ok(length)) = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut buffer)).await {
                told.lock().await.extend_from_slice(&buffer[..length]);
            }
            let _ = stream.write_all(answer.as_bytes()).await;
            if hold {
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
        }
    });
    (port, heard)
}

fn talk(port: u16, send: Option<&str>, until: Option<&str>) -> Probe {
    let text = |text: &str| text.to_owned();
    Probe::Tcp(TcpTalk {
        from: Origin::Here,
        to: text("127.0.0.1"),
        port,
        send: send.map(text),
        until: until.map(text),
    })
}

fn request(method: &str, port: u16, body: Option<&str>) -> HttpRequest {
    HttpRequest {
        from: Origin::Host,
        method: method.to_owned(),
        url: format!("http://127.0.0.1:{port}/path?q=1"),
        headers: vec![("X-Token".to_owned(), MaskedText::plain("t"))],
        body: body.map(MaskedText::plain),
    }
}

fn reason(result: Result<Seen, Fault>) -> (NoReply, String) {
    match result {
        Err(Fault::Conversation { reason, detail }) => (reason, detail),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_command_here_leads_a_session_of_its_own() {
    let command = Command::shell("read -r stat </proc/$$/stat; set -- ${stat##*) }; echo $(($$ == $3)) $(($$ == $4))");
    match look(Probe::Run(command)).await.unwrap() {
        Seen::Command(done) => assert_eq!(done.stdout, b"1 1\n"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_tcp_peer_is_told_apart_by_what_it_does() {
    let (port, heard) = peer("one\ntwo\n", true).await;
    assert_eq!(look(talk(port, None, None)).await, Ok(Seen::Tcp(Vec::new())));
    let (again, _) = peer("one\ntwo\n", true).await;
    assert_eq!(look(talk(again, Some("hi\n"), Some("e\nt"))).await, Ok(Seen::Tcp(b"one\ntwo\n".to_vec())));
    let (silent, _) = peer("", true).await;
    assert!(matches!(look(talk(silent, Some("hi\n"), Some("x"))).await, Err(Fault::TimedOut { .. })));
    let (closing, _) = peer("bye", false).await;
    assert_eq!(look(talk(closing, Some("hi"), None)).await, Ok(Seen::Tcp(b"bye".to_vec())));
    let (closed, detail) = reason(look(talk(closing, Some("hi"), Some("never"))).await);
    assert_eq!((closed, detail.contains("bye")), (NoReply::Closed, true), "{detail}");
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_eq!(reason(look(talk(refused, None, None)).await).0, NoReply::Refused);
    drop(heard);
}

#[tokio::test]
async fn a_request_is_whole_and_its_answer_too() {
    let answer = "HTTP/1.1 302 Found\r\nLocation: /else\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok";
    let (port, heard) = peer(answer, false).await;
    let Ok(Seen::Http(reply)) = look(Probe::Http(request("POST", port, Some("a=1")))).await else { panic!("no reply") };
    assert_eq!((reply.status, reply.body.as_slice()), (302, b"ok".as_slice()), "redirects are not followed");
    assert!(reply.headers.contains(&("location".to_owned(), "/else".to_owned())));
    let heard = String::from_utf8(heard.lock().await.clone()).unwrap().to_lowercase();
    assert!(heard.starts_with("post /path?q=1 http/1.1\r\n"), "{heard}");
    for part in [&format!("host: 127.0.0.1:{port}\r\n"), "content-length: 3\r\n", "x-token: t\r\n", "\r\n\r\na=1"] {
        assert!(heard.contains(part), "{part:?} in {heard}");
    }
}

#[tokio::test]
async fn a_request_that_was_sent_without_an_answer_is_lost() {
    let send = async |port: u16| {
        let time = Period::new(Duration::from_millis(400));
        let sending = Sending {
            step: StepId::new("post"),
            request: request("POST", port, Some("x")),
            timeout: time,
            cancel: CancellationToken::new(),
        };
        fleet().send(&Target::here(), sending).await
    };
    let (closing, _) = peer("", false).await;
    assert!(matches!(send(closing).await, Err(Fault::Lost { .. })));
    let (silent, _) = peer("", true).await;
    assert!(matches!(send(silent).await, Err(Fault::Lost { .. })));
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert!(matches!(send(refused).await, Err(Fault::Conversation { reason: NoReply::Refused, .. })));
    let (wrong, _) = peer("SSH-2.0-OpenSSH\r\n", false).await;
    assert_eq!(reason(look(Probe::Http(request("GET", wrong, None))).await).0, NoReply::Protocol);
}

#[tokio::test]
async fn a_directory_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("new/control");
    assert!(super::master::prepare(&control).is_ok());
    assert_eq!(std::fs::metadata(&control).unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::set_permissions(&control, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(super::master::prepare(&control), Err(Fault::Unreachable { .. })));
    let long = folder.path().join("x".repeat(80));
    assert!(matches!(super::master::prepare(&long), Err(Fault::Unreachable { hint: Some(_), .. })));
}
