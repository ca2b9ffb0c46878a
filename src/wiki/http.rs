//! The connection to a wiki: one, kept open where the wiki does, with the cookies that make a session.
//!
//! Redirects are not followed: a password goes where the operator said, or nowhere.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderValue, SET_COOKIE, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::Address;
use super::error::WikiError;
use crate::transport::secure;
use crate::vocab::neutral::one_line;

/// A longer answer is none.
const LONGEST: usize = 64 * 1024 * 1024;
const CONNECTING: Duration = Duration::from_secs(15);
const ANSWERING: Duration = Duration::from_secs(90);

/// An answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// How far a request had got when it failed.
pub(super) enum Failure {
    /// There is nobody to send it to.
    Connecting(WikiError),
    /// Nothing of it was sent.
    Before(String),
    /// It was sent, perhaps in part; there is no answer.
    After(String),
}

/// The connection.
pub(super) struct Http {
    address: Address,
    sender: Option<SendRequest<Full<Bytes>>>,
    cookies: BTreeMap<String, String>,
}

impl Http {
    pub(super) fn new(address: Address) -> Self {
        Self { address, sender: None, cookies: BTreeMap::new() }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Forgets who it was.
    pub(super) fn forget(&mut self) {
        self.cookies.clear();
    }

    /// Sends a form to `api.php`.
    pub(super) async fn post(&mut self, form: String) -> Result<Reply, Failure> {
        let request = self.request(form).map_err(Failure::Before)?;
        let mut sender = self.connected().await?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(|error| {
                // canceled: a kept connection was closed before the request was taken up
                let what = told(&error);
                if error.is_canceled() { Failure::Before(what) } else { Failure::After(what) }
            })?;
            let (parts, mut incoming) = response.into_parts();
            let mut body = Vec::new();
            while let Some(frame) = incoming.frame().await {
                let frame = frame.map_err(|error| Failure::After(told(&error)))?;
                body.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
                if body.len() > LONGEST {
                    return Err(Failure::After("its answer is longer than 64 MiB".to_owned()));
                }
            }
            Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
        };
        let reply = timeout(ANSWERING, answer)
            .await
            .map_err(|_| Failure::After(format!("no answer for {} seconds", ANSWERING.as_secs())))??;
        self.keep_cookies(&reply.headers);
        // whether it stays open is seen when the next one is sent
        self.sender = Some(sender);
        Ok(reply)
    }

    fn request(&self, form: String) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.address.api())
            .header(USER_AGENT, concat!("runbook/", env!("CARGO_PKG_VERSION")))
            .header(HOST, self.address.authority())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let mut value = HeaderValue::from_str(&cookies.join("; ")).map_err(|_| "a cookie cannot be sent")?;
            value.set_sensitive(true);
            request = request.header(COOKIE, value);
        }
        request.body(Full::new(Bytes::from(form))).map_err(|error| error.to_string())
    }

    async fn connected(&mut self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let host = self.address.authority();
        let unreachable = |why: String| Failure::Connecting(WikiError::Unreachable { host: host.clone(), why });
        timeout(CONNECTING, self.connect())
            .await
            .unwrap_or_else(|_| Err(unreachable(format!("no connection after {} seconds", CONNECTING.as_secs()))))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let Address { host, port, tls, .. } = &self.address;
        let named = self.address.authority();
        let unreachable = |why: String| Failure::Connecting(WikiError::Unreachable { host: named.clone(), why });
        let stream =
            TcpStream::connect((host.as_str(), *port)).await.map_err(|error| unreachable(error.to_string()))?;
        let _ = stream.set_nodelay(true);
        if *tls {
            let stream = secure(stream, host).await.map_err(|error| {
                let why = one_line(&error.to_string());
                // a certificate that proves nothing is told apart from a conversation that broke
                if error.kind() == std::io::ErrorKind::InvalidData {
                    Failure::Connecting(WikiError::Untrusted { host: named.clone(), why })
                } else {
                    unreachable(why)
                }
            })?;
            speak(TokioIo::new(stream)).await
        } else {
            speak(TokioIo::new(stream)).await
        }
    }

    fn keep_cookies(&mut self, headers: &HeaderMap) {
        for header in headers.get_all(SET_COOKIE) {
            let Ok(text) = header.to_str() else { continue };
            let pair = text.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else { continue };
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            if value == "deleted" || value.is_empty() {
                self.cookies.remove(&name);
            } else {
                self.cookies.insert(name, value);
            }
        }
    }
}

async fn speak<S>(stream: TokioIo<S>) -> Result<SendRequest<Full<Bytes>>, Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(stream).await.map_err(|error| Failure::Before(told(&error)))?;
    // its error reaches whoever waits for an answer
    tokio::spawn(connection);
    Ok(sender)
}

fn told(error: &hyper::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    one_line(&format!("{error}{cause}"))
}
