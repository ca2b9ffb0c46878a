//! A stand-in in front of the real wiki, for what a healthy one does not do on demand: it counts, refuses, cuts, delays,
//! and lets somebody else act in between.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request for the API.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its first line.
    pub head: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// What is asked.
    pub form: Vec<(String, String)>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What is done with a request.
pub enum Deed {
    /// It goes to the wiki, and the answer back.
    Pass,
    /// The wiki gets another one.
    Instead(Request),
    /// It is answered here.
    Answer(Answer),
    /// The connection is closed, and the wiki never hears of it.
    CutBefore,
    /// The wiki does it; the connection is closed without an answer.
    CutAfter,
}

/// What decides.
pub type Script = dyn Fn(usize, &Request) -> Deed + Send + Sync;

/// What speaks TLS, where it should.
pub type Secure = dyn Fn(TcpStream) -> Option<Box<dyn ReadWrite>> + Send + Sync;

pub trait ReadWrite: Read + Write + Send {}
impl<T: Read + Write + Send> ReadWrite for T {}

/// A stand-in that is up. It lives as long as the test's process.
pub struct Proxy {
    address: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Request {
    /// One of the things asked.
    pub fn get(&self, name: &str) -> &str {
        self.form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Whether it would change a page.
    pub fn is_edit(&self) -> bool {
        self.get("action") == "edit"
    }
}

impl Answer {
    /// One with a text.
    pub fn new(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { status, headers, body: body.as_bytes().to_vec() }
    }
}

impl Proxy {
    /// In front of the wiki at `upstream`; `script` says what becomes of each request, counted from 1.
    pub fn before(upstream: &str, script: impl Fn(usize, &Request) -> Deed + Send + Sync + 'static) -> Self {
        Self::start(upstream, Arc::new(script), None)
    }

    /// The same, speaking TLS.
    pub fn secured(upstream: &str, secure: Arc<Secure>) -> Self {
        Self::start(upstream, Arc::new(|_, _| Deed::Pass), Some(secure))
    }

    fn start(upstream: &str, script: Arc<Script>, secure: Option<Arc<Secure>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (upstream, kept) = (upstream.to_owned(), seen.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), upstream, script, seen, secure) =
                    (stream, upstream.clone(), script.clone(), kept.clone(), secure.clone())
                else {
                    return;
                };
                thread::spawn(move || {
                    let Ok(raw) = stream.try_clone() else { return };
                    let stream: Option<Box<dyn ReadWrite>> = match secure {
                        Some(secure) => secure(stream),
                        None => Some(Box::new(stream)),
                    };
                    if let Some(stream) = stream {
                        serve(stream, &upstream, &*script, &seen);
                    }
                    let _ = raw.shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, seen }
    }

    /// What `--wiki` is given.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The port it listens on.
    pub fn port(&self) -> &str {
        self.address.rsplit(':').next().unwrap()
    }

    /// What was asked by now.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// How many edits were asked for by now.
    pub fn edits(&self) -> usize {
        self.seen().iter().filter(|request| request.is_edit()).count()
    }
}

fn serve(stream: Box<dyn ReadWrite>, upstream: &str, script: &Script, seen: &Mutex<Vec<Request>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len()
        };
        let answer = match script(number, &request) {
            Deed::Pass => forward(upstream, &request),
            Deed::Instead(request) => forward(upstream, &request),
            Deed::Answer(answer) => answer,
            Deed::CutBefore => return,
            Deed::CutAfter => {
                forward(upstream, &request);
                return;
            }
        };
        let mut head = format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", answer.status, answer.body.len());
        for (name, value) in &answer.headers {
            if !["content-length", "connection", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str()) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        let whole = [head.as_bytes(), b"\r\n", &answer.body].concat();
        if stream.get_mut().write_all(&whole).and_then(|()| stream.get_mut().flush()).is_err() {
            return;
        }
    }
}

fn read(stream: &mut BufReader<Box<dyn ReadWrite>>) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        let read = stream.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    };
    let head = line()?;
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Request { head, headers, form: form_urlencoded::parse(&body).into_owned().collect() })
}

/// Sends a request to the wiki at `address`.
pub fn forward(address: &str, request: &Request) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&request.form).finish();
    let mut head = format!("{}\r\nConnection: close\r\nContent-Length: {}\r\n", request.head, body.len());
    if !request.headers.iter().any(|(name, _)| name == "host") {
        head.push_str(&format!("Host: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
    }
    for (name, value) in &request.headers {
        if !["connection", "content-length"].contains(&name.as_str()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("`{line}`"));
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => break,
        }
    }
    let mut body = Vec::new();
    stream.read_to_end(&mut body).unwrap();
    Answer { status, headers, body }
}
