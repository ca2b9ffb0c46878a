//! HTTP requests over a stream that starts wherever the probe says.
//!
//! Plain HTTP/1.1 with one request a connection: redirects are an answer like any other, and nothing is kept.

use std::error::Error as _;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;

use super::capability::{Fault, HttpReply};
use super::connection::conversation;
use super::dial::{Dial, Stream, dial};
use super::tls::secure;
use crate::vocab::HttpRequest;
use crate::vocab::observation::NoReply;

/// A longer body is no answer to a probe.
const LONGEST: usize = 16 * 1024 * 1024;

/// How far a request had got when it failed.
pub(super) enum Failure {
    /// Nothing of it was sent.
    Before(Fault),
    /// It was sent, perhaps in part; there is no answer.
    After(Fault),
}

impl Failure {
    /// The fault, however far it had got.
    pub(super) fn fault(self) -> Fault {
        match self {
            Self::Before(fault) | Self::After(fault) => fault,
        }
    }
}

/// Sends `request` from `host` or from here, and reads the answer.
pub(super) async fn ask<D: Dial>(host: &D, request: &HttpRequest) -> Result<HttpReply, Failure> {
    let Destination { name, port, tls, message } = destination(request).map_err(Failure::Before)?;
    let stream = dial(host, request.from, &name, port).await.map_err(Failure::Before)?;
    let stream = if tls { encrypted(stream, &name).await.map_err(Failure::Before)? } else { stream };
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| Failure::Before(protocol(&error)))?;
    let answer = async {
        let response = sender.send_request(message).await.map_err(|error| {
            // canceled: the connection was closed before the request was taken up
            if error.is_canceled() { Failure::Before(protocol(&error)) } else { Failure::After(protocol(&error)) }
        })?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let mut incoming = response.into_body();
        let mut body = Vec::new();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| Failure::After(protocol(&error)))?;
            body.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
            if body.len() > LONGEST {
                let fault = conversation(NoReply::Protocol, "the body is longer than 16 MiB");
                return Err(Failure::After(fault));
            }
        }
        Ok(HttpReply { status, headers, body })
    };
    tokio::pin!(answer);
    let mut connection = std::pin::pin!(connection);
    let mut driving = true;
    loop {
        tokio::select! {
            answer = &mut answer => return answer,
            // its error reaches the answer too
            _ = &mut connection, if driving => driving = false,
        }
    }
}

/// Where a request goes, and what is said there.
struct Destination {
    name: String,
    port: u16,
    tls: bool,
    message: Request<Full<Bytes>>,
}

fn destination(request: &HttpRequest) -> Result<Destination, Fault> {
    let bad = |what: String| conversation(NoReply::Protocol, &what);
    let uri: Uri = request.url.parse().map_err(|error| bad(format!("`{}` is not a URL: {error}", request.url)))?;
    let (default, tls) = match uri.scheme_str() {
        Some("http") => (80, false),
        Some("https") => (443, true),
        _ => return Err(bad(format!("`{}` is not an http or https URL", request.url))),
    };
    let authority = uri.authority().ok_or_else(|| bad(format!("`{}` names no host", request.url)))?;
    let port = authority.port_u16().unwrap_or(default);
    let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let shown = if port == default { authority.host().to_owned() } else { format!("{}:{port}", authority.host()) };
    let method: Method = request.method.parse().map_err(|_| bad(format!("`{}` is not a method", request.method)))?;

    let body = request.body.as_ref().map(|body| Bytes::copy_from_slice(body.expose().as_bytes()));
    let has_length = body.is_some() || matches!(method, Method::POST | Method::PUT | Method::PATCH);
    let body = body.unwrap_or_default();
    let length = body.len();
    let mut message =
        Request::builder().method(method).uri(path).body(Full::new(body)).map_err(|error| bad(error.to_string()))?;
    let headers = message.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("runbook/", env!("CARGO_PKG_VERSION"))));
    headers.insert(HOST, HeaderValue::from_str(&shown).map_err(|error| bad(error.to_string()))?);
    for (name, value) in &request.headers {
        // what is wrong with the value is not said: it may be secret
        let header: HeaderName = name.parse().map_err(|_| bad(format!("`{name}` is not a header")))?;
        let value =
            HeaderValue::from_str(value.expose()).map_err(|_| bad(format!("the value of `{name}` cannot be sent")))?;
        if header == HOST || header == USER_AGENT {
            headers.insert(header, value);
        } else {
            headers.append(header, value);
        }
    }
    if has_length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(Destination { name, port, tls, message })
}

/// Speaks TLS over `stream`.
async fn encrypted(stream: Box<dyn Stream>, name: &str) -> Result<Box<dyn Stream>, Fault> {
    match secure(stream, name).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(conversation(NoReply::Protocol, &format!("TLS: {error}"))),
    }
}

fn protocol(error: &hyper::Error) -> Fault {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    let reason = if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        NoReply::Closed
    } else {
        NoReply::Protocol
    };
    conversation(reason, &format!("{error}{cause}"))
}
